package testenv

import (
	"bytes"

	"sceau/safe"
)

// Safe is a safe of a key that everybody knows: the same in each process of a
// test.
func Safe() *safe.Safe {
	s, _ := safe.New(bytes.Repeat([]byte{0x5A}, safe.KeySize)) // one key of the right length
	return s
}
