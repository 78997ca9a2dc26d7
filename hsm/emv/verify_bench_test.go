package emv

import (
	"crypto/cipher"
	"crypto/des"
	"encoding/hex"
	"fmt"
	"testing"

	"sceau/hsm/crypt"
	"sceau/internal/bench"
)

// bareCheck is the least that one CAP code costs: card key, session key and
// cryptogram by crypto/des alone, for a single profile, counter and mode, from
// an issuer key whose schedule is kept. Its input is vector e2e-44's.
type bareCheck struct {
	imk   bareKey
	card  [8]byte // PAN and sequence number, the right 16 digits
	input []byte
	mask  []byte // the bitmap, from the CID on
	code  uint64
}

const benchIMK = "0123456789ABCDEFFEDCBA9876543210"

func newBareCheck(b *testing.B) bareCheck {
	b.Helper()
	unhex := func(s string) []byte {
		raw, err := hex.DecodeString(s)
		if err != nil {
			b.Fatal(err)
		}
		return raw
	}
	return bareCheck{
		imk: newBareKey(unhex(benchIMK)), card: [8]byte(unhex("5000412345678903")[:8]), code: 34189661,
		input: unhex("000000000000000000000000000080000000000000000000002466114010000104A50003040000"),
		mask:  unhex("8000FF000000000001FFFF"),
	}
}

// bareKey is a double-length key, each half scheduled once.
type bareKey struct{ first, second cipher.Block }

func newBareKey(key []byte) bareKey {
	first, err1 := des.NewCipher(key[:8])
	second, err2 := des.NewCipher(key[8:])
	if err1 != nil || err2 != nil {
		panic("a DES key has 8 bytes")
	}
	return bareKey{first, second}
}

func (k bareKey) encrypt(dst, src []byte) {
	k.first.Encrypt(dst, src)
	k.second.Decrypt(dst, dst)
	k.first.Encrypt(dst, dst)
}

// derive enciphers a block and its variant into an odd-parity key.
func (k bareKey) derive(left, right [8]byte) bareKey {
	var out [16]byte
	k.encrypt(out[:8], left[:])
	k.encrypt(out[8:], right[:])
	crypt.SetOddParity(out[:])
	return newBareKey(out[:])
}

func (c bareCheck) verify() bool {
	inverse := c.card
	for i := range inverse {
		inverse[i] ^= 0xFF
	}
	atc := c.input[31:33]
	session := c.imk.derive(c.card, inverse).derive([8]byte{atc[0], atc[1], 0xF0}, [8]byte{atc[0], atc[1], 0x0F})
	var mac [8]byte
	var padded [40]byte
	copy(padded[:], c.input)
	padded[len(c.input)] = 0x80
	for i := 0; i < len(padded); i += 8 {
		for j := range mac {
			mac[j] ^= padded[i+j]
		}
		session.first.Encrypt(mac[:], mac[:])
	}
	session.second.Decrypt(mac[:], mac[:])
	session.first.Encrypt(mac[:], mac[:])
	shown := append([]byte{0x80, atc[0], atc[1]}, mac[:]...)
	var code uint64
	for i, mask := range c.mask {
		for bit := 7; bit >= 0; bit-- {
			if mask>>bit&1 == 1 {
				code = code<<1 | uint64(shown[i]>>bit&1)
			}
		}
	}
	return code == c.code
}

func BenchmarkVerifyCAP(b *testing.B) {
	key, err := crypt.ParseHex(benchIMK)
	if err != nil {
		b.Fatal(err)
	}
	imk, err := crypt.NewTDES(key)
	if err != nil {
		b.Fatal(err)
	}
	verifier, err := NewVerifier(SecurAccess(), imk)
	if err != nil {
		b.Fatal(err)
	}
	bare := newBareCheck(b)
	const ops = 10_000
	limit := bench.Side{Name: "bare_cryptogram", Ops: ops, Run: func() error {
		for range ops {
			if !bare.verify() {
				return fmt.Errorf("%w: the bare check does not find the vector's code", crypt.ErrMalformed)
			}
		}
		return nil
	}}
	for _, window := range []int{1, 64, 256} {
		b.Run(fmt.Sprintf("window=%d", window), func(b *testing.B) {
			q := Query{
				PAN: "9250004123456789", PSN: "03", Transaction: Transaction{Mode: Mode3, Challenge: "24661140"},
				Code: "34189661", LastATC: uint16(0x104 - window), Window: window,
			}
			bench.Comparison{Limits: []bench.Side{limit}, Ours: bench.Side{Name: "verifier", Ops: ops, Run: func() error {
				for range ops {
					if _, ok, err := verifier.Verify(q); !ok || err != nil {
						return fmt.Errorf("the right code: %v, %w", ok, err)
					}
				}
				return nil
			}}}.Measure(b)
		})
	}
}
