package engine

import (
	"errors"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
)

// spreadFrom is how many pieces of work are worth a second processor.
const spreadFrom = 8

// spread does n pieces of work on all processors.
func spread(n int, work func(i int) error) error {
	workers := min(runtime.GOMAXPROCS(0), n/spreadFrom+1)
	errs := make([]error, workers)
	var next atomic.Int64
	var group sync.WaitGroup
	for w := range workers {
		group.Go(func() {
			for i := int(next.Add(1)) - 1; i < n && errs[w] == nil; i = int(next.Add(1)) - 1 {
				errs[w] = work(i)
			}
		})
	}
	group.Wait()
	return errors.Join(errs...)
}

// linesOf splits a batch that came as one text.
func linesOf(batch string, most int) ([]string, error) {
	if len(batch) > maxBatch {
		return nil, refuse("batch_too_large", "batch is a text of at most %d bytes", maxBatch)
	}
	lines := strings.Split(strings.TrimSuffix(batch, "\n"), "\n")
	if len(lines) > most {
		return nil, refuse("batch_too_large", "batch has 1 to %d lines", most)
	}
	return lines, nil
}
