// Has package transaction transfer money from several goroutines, and says how it went. Used by `cargo xtask templates`.
package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strconv"
	"sync"

	"github.com/jackc/pgx/v5"

	"pgstrata.example/templates/transaction"
)

type told struct {
	Done     int `json:"done"`
	Found    int `json:"found"`
	Refused  int `json:"refused"`
	Attempts int `json:"attempts"`
}

func key() string {
	bytes := make([]byte, 16)
	if _, err := rand.Read(bytes); err != nil {
		panic(err)
	}
	return fmt.Sprintf("%x-%x-%x-%x-%x", bytes[0:4], bytes[4:6], bytes[6:8], bytes[8:10], bytes[10:16])
}

func work(worker, transfers int) told {
	ctx := context.Background()
	all := told{}
	transactions := transaction.Transactions{Connect: func(ctx context.Context) (*pgx.Conn, error) {
		return pgx.Connect(ctx, os.Getenv("DATABASE_URL"))
	}}
	for number := 0; number < transfers; number++ {
		source := (worker*7 + number*3) % 8
		target := (source + 1 + number%7) % 8
		amount := 1 + number%20
		done, err := transactions.Run(ctx, key(), func(ctx context.Context, tx pgx.Tx) error {
			return transaction.Transfer(ctx, tx, int64(source+1), int64(target+1), int64(amount))
		})
		switch {
		case errors.Is(err, transaction.ErrRefused):
			all.Refused++
		case err != nil:
			panic(err)
		case done:
			all.Done++
		default:
			all.Found++
		}
	}
	all.Attempts = transactions.Attempts
	transactions.Close(ctx)
	return all
}

func main() {
	workers, _ := strconv.Atoi(os.Getenv("WORKERS"))
	transfers, _ := strconv.Atoi(os.Getenv("TRANSFERS"))
	each := make([]told, workers)
	var group sync.WaitGroup
	for worker := range each {
		group.Add(1)
		go func(worker int) {
			defer group.Done()
			each[worker] = work(worker, transfers)
		}(worker)
	}
	group.Wait()
	sum := told{}
	for _, one := range each {
		sum.Done += one.Done
		sum.Found += one.Found
		sum.Refused += one.Refused
		sum.Attempts += one.Attempts
	}
	line, err := json.Marshal(sum)
	if err != nil {
		panic(err)
	}
	fmt.Println(string(line))
}
