package cms_test

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"errors"
	"testing"

	"sceau/cms"
	"sceau/internal/bench"
)

// BenchmarkSeal seals letters of 64 KiB. The limit enciphers as many octets and
// wraps a key, without any encoding.
func BenchmarkSeal(b *testing.B) {
	room, _ := parties(b)
	public, ok := room.cert.PublicKey.(*rsa.PublicKey)
	if !ok {
		b.Fatal("the recipient's key is not RSA")
	}
	letter, key := make([]byte, 64<<10), make([]byte, 32)
	const letters = 500
	repeat := func(name string, work func() error) bench.Side {
		return bench.Side{Name: name, Ops: letters, Run: func() error {
			for range letters {
				if err := work(); err != nil {
					return err
				}
			}
			return nil
		}}
	}
	bench.Comparison{
		Ours: repeat("Seal", func() error {
			_, err := cms.Seal(letter, room.cert)
			return err
		}),
		Limits: []bench.Side{repeat("aes_and_oaep", func() error {
			block, err := aes.NewCipher(key)
			if err != nil {
				return err
			}
			sealed := bytes.Clone(letter)
			cipher.NewCBCEncrypter(block, key[:aes.BlockSize]).CryptBlocks(sealed, sealed)
			_, errWrap := rsa.EncryptOAEP(sha256.New(), rand.Reader, public, key, nil)
			return errors.Join(err, errWrap)
		})},
	}.Measure(b)
}
