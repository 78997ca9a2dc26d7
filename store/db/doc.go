// Package db is what sqlc compiles from store/queries: one Go method a query.
// It is generated (make generate) and part of the store room: it never decides
// anything, and only store hands it out.
package db
