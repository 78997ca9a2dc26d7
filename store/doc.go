// Package store is Sceau's only SQL: queries compiled by sqlc into store/db
// (make generate), transactions, and the one translation of database errors
// into lifecycle kinds.
//
// It never decides what is legal, enqueues a job or reads a clock. Data runs
// issuance, authn → store → PostgreSQL; it answers with rows.
package store
