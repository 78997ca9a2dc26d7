package ca

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"math/big"
)

// Bounds of an RSA key in bits. Larger keys only slow every verifier down.
const (
	minRSABits = 3072
	maxRSABits = 8192
)

// weakKey says why a holder's key is refused, or nothing.
func weakKey(pub crypto.PublicKey) string {
	switch key := pub.(type) {
	case *ecdsa.PublicKey:
		if key.Curve != elliptic.P256() && key.Curve != elliptic.P384() {
			return "is on a curve that is not accepted: use P-256 or P-384"
		}
		return ""
	case *rsa.PublicKey:
		return weakRSA(key.N, key.E)
	}
	return "is of a kind that is not accepted: use P-256, P-384 or RSA of 3072 bits"
}

func weakRSA(n *big.Int, e int) string {
	if n.BitLen() < minRSABits {
		return "is an RSA key shorter than 3072 bits"
	}
	return unsoundRSA(n, e)
}

// unsoundRSA says what is wrong with a key that is long enough.
func unsoundRSA(n *big.Int, e int) string {
	bits := n.BitLen()
	switch {
	case bits > maxRSABits:
		return "is an RSA key longer than 8192 bits"
	case bits%8 != 0:
		return "is an RSA key whose length is not a whole number of octets"
	case e != 65537:
		return "is an RSA key with an exponent other than 65537"
	case smallFactor(n):
		return "is an RSA key whose modulus has a small factor: make a new key with a sound generator"
	case roca(n):
		return "is an RSA key of a chip with the ROCA weakness (CVE-2017-15361): use another device"
	case closePrimes(n):
		return "is an RSA key whose two primes are too close: make a new key with a sound generator"
	}
	return ""
}

// smallFactor divides by every number below 2^12 whose factors it has not met;
// sound primes are 1536 bits long.
func smallFactor(n *big.Int) bool {
	var rest, d big.Int
	for p := int64(2); p < 1<<12; p++ {
		if rest.Mod(n, d.SetInt64(p)).Sign() == 0 {
			return true
		}
	}
	return false
}

// roca looks for the fingerprint of CVE-2017-15361 (Nemec et al., "The Return
// of Coppersmith's Attack", §2.2): the chip's primes are k·M + 65537^a mod M,
// so the modulus is a power of 65537 modulo every small prime. A sound modulus
// passes all these tests once in about 2^28.
func roca(n *big.Int) bool {
	var rest, d big.Int
	for p := int64(3); p <= 167; p += 2 {
		if !d.SetInt64(p).ProbablyPrime(0) { // exact below 2^64
			continue
		}
		r, power, found := rest.Mod(n, &d).Int64(), int64(1), false
		for range p - 1 {
			if found = power == r; found {
				break
			}
			power = power * 65537 % p
		}
		if !found {
			return false
		}
	}
	return true
}

// fermatRounds bounds the search for close primes; primes drawn independently
// are further apart than any number of rounds that can be computed.
const fermatRounds = 100

// closePrimes runs Fermat's factorisation for a few rounds (CVE-2022-26320).
func closePrimes(n *big.Int) bool {
	a := new(big.Int).Sqrt(n)
	one := big.NewInt(1)
	var b2, b big.Int
	for range fermatRounds {
		if b2.Sub(b2.Mul(a, a), n); b2.Sign() >= 0 {
			b.Sqrt(&b2)
			if b.Mul(&b, &b).Cmp(&b2) == 0 {
				return true
			}
		}
		a.Add(a, one)
	}
	return false
}
