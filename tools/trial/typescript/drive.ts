// Has `transaction.ts` transfer money from several workers, and says how it went. Used by `cargo xtask templates`.
import { randomUUID } from 'node:crypto'
import { Client } from 'pg'
import { Refused, Transactions, transfer } from './transaction'

const told = { done: 0, found: 0, refused: 0, attempts: 0 }

async function connect(): Promise<Client> {
  const client = new Client({ connectionString: process.env.DATABASE_URL })
  // A connection that is lost while nothing runs is found out by the next query.
  client.on('error', () => undefined)
  await client.connect()
  return client
}

async function work(worker: number): Promise<void> {
  const transactions = new Transactions(connect)
  for (let number = 0; number < Number(process.env.TRANSFERS); number++) {
    const source = (worker * 7 + number * 3) % 8
    const target = (source + 1 + (number % 7)) % 8
    const amount = 1 + (number % 20)
    try {
      const done = await transactions.run(randomUUID(), client => transfer(client, source + 1, target + 1, amount))
      told[done ? 'done' : 'found']++
    } catch (error) {
      if (!(error instanceof Refused)) throw error
      told.refused++
    }
  }
  told.attempts += transactions.attempts
  await transactions.close()
}

void Promise.all(Array.from({ length: Number(process.env.WORKERS) }, (_, worker) => work(worker))).then(() =>
  console.log(JSON.stringify(told)),
)
