package emv

import (
	"crypto/aes"
	"crypto/subtle"
	"encoding/binary"
	"fmt"

	"sceau/hsm/crypt"
)

// ATCDiversifier is the R of an application cryptogram's session key: the
// application transaction counter, then zeros (EMV Book 2 A1.3.1).
func ATCDiversifier(atc uint16) [8]byte {
	var r [8]byte
	binary.BigEndian.PutUint16(r[:2], atc)
	return r
}

// MChipDiversifier is the R of M/Chip's own session key: counter, two zero
// bytes, unpredictable number.
func MChipDiversifier(atc uint16, un [4]byte) [8]byte {
	r := ATCDiversifier(atc)
	copy(r[4:], un[:])
	return r
}

// SessionKey derives the EMV common session key (Book 2 A1.3.1) with odd
// parity: byte 2 of R is F0 for the left half and 0F for the right. For issuer
// scripts R is the ARQC; for cryptograms [ATCDiversifier].
func SessionKey(mk *crypt.TDES, r [8]byte) crypt.Key {
	sk := sessionKey(mk, r)
	return sk[:]
}

func sessionKey(mk *crypt.TDES, r [8]byte) [16]byte {
	var sk [16]byte
	copy(sk[:8], r[:])
	copy(sk[8:], r[:])
	sk[2], sk[10] = 0xF0, 0x0F
	mk.Encrypt(sk[:8], sk[:8])
	mk.Encrypt(sk[8:], sk[8:])
	crypt.SetOddParity(sk[:])
	return sk
}

// SessionKeyAES derives an AES common session key as long as the master key
// (EMV Book 2 A1.3.1): for 16 bytes the enciphered R; for 24 and 32 bytes R with
// byte 2 as F0, then as 0F, enciphered and cut.
func SessionKeyAES(mk crypt.Key, r [16]byte) (crypt.Key, error) {
	block, err := aes.NewCipher(mk)
	if err != nil {
		return nil, fmt.Errorf("%w: an AES key has 16, 24 or 32 bytes, not %d", crypt.ErrMalformed, len(mk))
	}
	sk := make([]byte, 32)
	if len(mk) == 16 {
		block.Encrypt(sk, r[:])
		return sk[:16], nil
	}
	copy(sk, r[:])
	copy(sk[16:], r[:])
	sk[2], sk[18] = 0xF0, 0x0F
	block.Encrypt(sk[:16], sk[:16])
	block.Encrypt(sk[16:], sk[16:])
	return sk[:len(mk)], nil
}

// SessionKeyVisa derives the secure-messaging session key of VIS: the counter
// XORed into the last bytes of the left half, its complement into the right; odd parity.
func SessionKeyVisa(mk crypt.Key, atc uint16) (crypt.Key, error) {
	if len(mk) != 16 {
		return nil, fmt.Errorf("%w: a card master key has 16 bytes, not %d", crypt.ErrMalformed, len(mk))
	}
	sk := make([]byte, 16)
	copy(sk, mk)
	hi, lo := byte(atc>>8), byte(atc&0xFF)
	sk[6], sk[7] = sk[6]^hi, sk[7]^lo
	sk[14], sk[15] = sk[14]^^hi, sk[15]^^lo
	crypt.SetOddParity(sk)
	return sk, nil
}

// SessionKeyTree derives the EMV2000 session key (EMV 4.0 Book 2 A1.3): a tree
// of keys of the given height (8 or 16) and branch factor (4 or 2), rooted in
// the master key, whose leaf is chosen by the counter.
func SessionKeyTree(mk crypt.Key, atc uint16, height, branch int, iv [16]byte) (crypt.Key, error) {
	if len(mk) != 16 {
		return nil, fmt.Errorf("%w: a card master key has 16 bytes, not %d", crypt.ErrMalformed, len(mk))
	}
	if !(height == 8 && branch == 4) && !(height == 16 && branch == 2) {
		return nil, fmt.Errorf("%w: a session key tree is 8 high with 4 branches, or 16 high with 2", crypt.ErrMalformed)
	}
	path := make([]int, height+1) // path[i] is the node's number at level i
	for level, node := height, int(atc); level > 0; level, node = level-1, node/branch {
		path[level] = node
	}
	grandparent, parent := iv, [16]byte(mk)
	for level := 1; level < height; level++ {
		grandparent, parent = parent, treeNode(parent, grandparent, path[level]%branch)
	}
	sk := treeNode(parent, grandparent, path[height]%branch)
	subtle.XORBytes(sk[:], sk[:], grandparent[:])
	crypt.SetOddParity(sk[:])
	return sk[:], nil
}

// treeNode is the function Φ of EMV 4.0 Book 2 A1.3.
func treeNode(parent, grandparent [16]byte, j int) [16]byte {
	out := grandparent
	out[7] ^= byte(j & 3)
	out[15] ^= byte(j&3) ^ 0xF0
	key := crypt.DoubleKey(&parent)
	key.Encrypt(out[:8], out[:8])
	key.Encrypt(out[8:], out[8:])
	return out
}
