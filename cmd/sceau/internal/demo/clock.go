package demo

import (
	"sync/atomic"
	"time"
)

// clock is a wall clock some days behind, which the demonstration moves on when
// days have to pass. It ends at the present: what is signed last, others check
// with their own clocks.
type clock struct {
	wall   func() time.Time
	behind atomic.Int64 // nanoseconds
}

func newClock(wall func() time.Time, behind time.Duration) *clock {
	c := &clock{wall: wall}
	c.behind.Store(int64(behind))
	return c
}

// Now is the time of the demonstration.
func (c *clock) Now() time.Time { return c.wall().Add(-time.Duration(c.behind.Load())) }

// pass lets time pass, never beyond the present.
func (c *clock) pass(d time.Duration) { c.behind.Store(max(0, c.behind.Load()-int64(d))) }

// catchUp goes to the present.
func (c *clock) catchUp() { c.behind.Store(0) }
