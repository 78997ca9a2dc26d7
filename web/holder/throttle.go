package holder

import (
	"net"
	"net/netip"
	"sync"
	"time"
)

// How many enrolment codes the whole door judges, and how many wrong ways to revoke
// it lets one caller find out: people type them, so that more is somebody who
// guesses.
const (
	triesASecond = 20
	triesAtOnce  = 100

	wrongASecond = 1
	wrongAtOnce  = 20
	mostCallers  = 10_000

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

// callers throttles each address by itself.
type callers struct {
	mu  sync.Mutex
	all map[netip.Prefix]*throttle // guarded by mu
}

// take counts one more of a caller, whose address is as net/http has it. When there
// are too many callers to remember, it begins anew.
func (c *callers) take(address string, now time.Time) bool {
	from := network(address)
	c.mu.Lock()
	t := c.all[from]
	if t == nil {
		if c.all == nil || len(c.all) >= mostCallers {
			c.all = map[netip.Prefix]*throttle{}
		}
		t = &throttle{rate: wrongASecond, most: wrongAtOnce}
		c.all[from] = t
	}
	c.mu.Unlock()
	return t.take(now)
}

// network is what one caller has: an IPv4 address, or an IPv6 network of 64 bits.
func network(address string) netip.Prefix {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return netip.Prefix{}
	}
	ip, err := netip.ParseAddr(host)
	if err != nil {
		return netip.Prefix{}
	}
	const v4, v6 = 32, 64
	bits := v6
	if ip = ip.Unmap().WithZone(""); ip.Is4() {
		bits = v4
	}
	prefix, _ := ip.Prefix(bits)
	return prefix
}
