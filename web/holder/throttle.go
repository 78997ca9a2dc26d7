package holder

import (
	"sync"
	"time"
)

// How many codes the whole door judges: people type them, so that more is somebody
// who guesses.
const (
	triesASecond = 20
	triesAtOnce  = 100

	reportsASecond = 2 // people write them
	reportsAtOnce  = 50
)

// throttle lets so many through a second, and some more at once.
type throttle struct {
	rate, most float64

	mu   sync.Mutex
	used float64   // guarded by mu
	at   time.Time // of used; guarded by mu
}

func (t *throttle) take(now time.Time) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if passed := now.Sub(t.at).Seconds(); passed > 0 {
		t.used, t.at = max(t.used-passed*t.rate, 0), now
	}
	if t.used+1 > t.most {
		return false
	}
	t.used++
	return true
}
