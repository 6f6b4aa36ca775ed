// Runs a transaction until it has committed once.
//
// ABOUT
//
// Needs pg (node-postgres) 8, and the table of request.sql.
import { Client, DatabaseError } from 'pg'

const MOST_ATTEMPTS = 12
const FIRST_PAUSE_MS = 10
const LONGEST_PAUSE_MS = 1000

/** The server refused this attempt as a whole; the next one may succeed. */
const TRY_AGAIN = new Set(['40001', '40P01', '55P03'])

/** The business says no. Nothing was done. */
export class Refused extends Error {}

/** Somebody was faster. Nothing was done; the transaction begins anew. */
export class Again extends Error {}

/** What an error means for the transaction: it may be run again, on a new connection if that is lost. */
function meaning(error: unknown): 'again' | 'lost' | 'final' {
  if (error instanceof Again) return 'again'
  if (error instanceof Refused) return 'final'
  if (error instanceof DatabaseError && error.code !== undefined) {
    if (TRY_AGAIN.has(error.code)) return 'again'
    // Class 08: connection; 57P01 to 57P03: the server is going down or coming up.
    return error.code.startsWith('08') || error.code.startsWith('57P0') ? 'lost' : 'final'
  }
  // An error without a code of the server is one of the socket.
  return error instanceof Error && /connection|ECONN|EPIPE|socket|not queryable/i.test(error.message) ? 'lost' : 'final'
}

/** Runs transactions on one connection at a time, and opens another when it is lost. */
export class Transactions {
  #client: Client | undefined
  attempts = 0

  constructor(private readonly connect: () => Promise<Client>) {}

  /**
   * Has `work` done exactly once for `key`, and tells whether this call did it.
   *
   * The caller chooses the key (a UUID) and keeps it for as long as he repeats the request. If the connection breaks during
   * commit, nobody knows whether it happened: the next attempt finds the key, or it does not.
   */
  async run(key: string, work: (client: Client) => Promise<void>): Promise<boolean> {
    for (let attempt = 0; attempt < MOST_ATTEMPTS; attempt++) {
      this.attempts++
      try {
        return await this.#attempt(key, work)
      } catch (error) {
        const means = meaning(error)
        if (means === 'lost') await this.close()
        else await this.#client?.query('rollback')
        if (means === 'final') throw error
      }
      // All of the transaction is run again, never one statement; the pause is drawn by lot, so that two that met do not
      // meet again.
      const pause = Math.random() * Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** attempt)
      await new Promise(resume => setTimeout(resume, pause))
    }
    throw new Error(`gave up after ${MOST_ATTEMPTS} attempts`)
  }

  async #attempt(key: string, work: (client: Client) => Promise<void>): Promise<boolean> {
    const client = (this.#client ??= await this.connect())
    await client.query('begin isolation level LEVEL')
    const taken = await client.query('insert into request (key) values ($1) on conflict (key) do nothing', [key])
    if (taken.rowCount === 0) {
      await client.query('rollback')
      return false
    }
    await work(client)
    await client.query('commit')
    return true
  }

  /** Gives the connection back. */
  async close(): Promise<void> {
    const client = this.#client
    this.#client = undefined
    await client?.end().catch(() => undefined)
  }
}

// BODY
