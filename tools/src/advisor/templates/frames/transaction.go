// Package transaction runs a transaction until it has committed once.
//
// ABOUT
//
// Needs pgx 5, and the table of request.sql.
package transaction

import (
	"context"
	"errors"
	"fmt"
	"math/rand"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

const (
	mostAttempts = 12
	firstPause   = 10 * time.Millisecond
	longestPause = time.Second
)

// ErrRefused means that the business says no. Nothing was done.
var ErrRefused = errors.New("refused")

// ErrAgain means that somebody was faster. Nothing was done; the transaction begins anew.
var ErrAgain = errors.New("again")

// Transactions runs transactions on one connection at a time, and opens another when it is lost.
type Transactions struct {
	Connect    func(context.Context) (*pgx.Conn, error)
	Attempts   int
	connection *pgx.Conn
}

// Run has the work done exactly once for the key, and tells whether this call did it.
//
// The caller chooses the key (a UUID) and keeps it for as long as he repeats the request. If the connection breaks during
// commit, nobody knows whether it happened: the next attempt finds the key, or it does not.
func (t *Transactions) Run(ctx context.Context, key string, work func(context.Context, pgx.Tx) error) (bool, error) {
	var last error
	for attempt := 0; attempt < mostAttempts; attempt++ {
		t.Attempts++
		done, err := t.attempt(ctx, key, work)
		if err == nil {
			return done, nil
		}
		if last = err; !t.mayTryAgain(ctx, err) {
			return false, err
		}
		// All of the transaction is run again, never one statement; the pause is drawn by lot, so that two that met do
		// not meet again.
		pause := firstPause << attempt
		if pause > longestPause {
			pause = longestPause
		}
		select {
		case <-ctx.Done():
			return false, ctx.Err()
		case <-time.After(time.Duration(rand.Int63n(int64(pause) + 1))):
		}
	}
	return false, fmt.Errorf("gave up after %d attempts: %w", mostAttempts, last)
}

func (t *Transactions) mayTryAgain(ctx context.Context, err error) bool {
	var refused *pgconn.PgError
	switch {
	case errors.Is(err, ErrAgain):
		return true
	case errors.Is(err, ErrRefused), ctx.Err() != nil:
		return false
	case errors.As(err, &refused) && !strings.HasPrefix(refused.Code, "08") && !strings.HasPrefix(refused.Code, "57P0"):
		return refused.Code == "40001" || refused.Code == "40P01" || refused.Code == "55P03"
	}
	// The connection is lost, or was not to be had; the key tells the next attempt what became of this one.
	lost := t.connection == nil || t.connection.IsClosed() || refused != nil
	if lost {
		t.Close(ctx)
	}
	return lost
}

func (t *Transactions) attempt(ctx context.Context, key string, work func(context.Context, pgx.Tx) error) (bool, error) {
	if t.connection == nil {
		connection, err := t.Connect(ctx)
		if err != nil {
			return false, err
		}
		t.connection = connection
	}
	tx, err := t.connection.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.LEVEL})
	if err != nil {
		return false, err
	}
	defer func() { _ = tx.Rollback(ctx) }()
	taken, err := tx.Exec(ctx, "insert into request (key) values ($1::text::uuid) on conflict (key) do nothing", key)
	if err != nil {
		return false, err
	}
	if taken.RowsAffected() == 0 {
		return false, nil
	}
	if err := work(ctx, tx); err != nil {
		return false, err
	}
	return true, tx.Commit(ctx)
}

// Close gives the connection back.
func (t *Transactions) Close(ctx context.Context) {
	if t.connection != nil {
		_ = t.connection.Close(ctx)
		t.connection = nil
	}
}

// BODY
