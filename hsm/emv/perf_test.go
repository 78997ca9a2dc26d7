package emv

import (
	"testing"

	"sceau/hsm/crypt"
)

func BenchmarkVerify(b *testing.B) {
	imk, err := crypt.NewTDES([]byte{0x01, 0x23, 0x45, 0x67, 0x89, 0xAB, 0xCD, 0xEF, 0xFE, 0xDC, 0xBA, 0x98, 0x76, 0x54, 0x32, 0x10})
	if err != nil {
		b.Fatal(err)
	}
	v, err := NewVerifier(SecurAccess(), imk)
	if err != nil {
		b.Fatal(err)
	}
	for _, w := range []int{1, 64, 256} {
		b.Run("window "+string(rune('0'+w%10)), func(b *testing.B) {
			q := Query{PAN: "9250004123456789", PSN: "03", Transaction: Transaction{Mode: Mode3, Challenge: "24661140"}, Code: "34189661", LastATC: uint16(0x104 - w), Window: w}
			for b.Loop() {
				if _, ok, err := v.Verify(q); !ok || err != nil {
					b.Fatal(ok, err)
				}
			}
		})
	}
}
