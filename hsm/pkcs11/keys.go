//go:build pkcs11

package pkcs11

import (
	"context"
	"crypto/elliptic"
	"fmt"
	"strconv"
	"strings"

	"github.com/ThalesGroup/crypto11"

	"sceau/hsm"
	"sceau/lifecycle"
)

// perCall is how many digests a caller hands over at once; they are spread over
// the sessions, since PKCS #11 signs one at a time.
const perCall = 100

const rsaBits = 3072

// id is CKA_ID of a version of a key: "issuing-1/2". CKA_LABEL is the name.
func id(name string, version int) []byte { return []byte(name + "/" + strconv.Itoa(version)) }

// CreateSigningKey makes a key pair in the token; see [hsm.Keystore]. Two
// processes must not make keys at the same time: tokens have no transactions.
func (t *Token) CreateSigningKey(ctx context.Context, name string, algorithm hsm.Algorithm) error {
	if err := hsm.CheckKey(name, algorithm); err != nil {
		return err
	}
	_, err := use(ctx, t, "create signing key "+name, func(_ context.Context, open *crypto11.Context) (crypto11.Signer, error) {
		t.objects.Lock()
		defer t.objects.Unlock()
		latest, pair, err := find(open, name, 0)
		if err != nil {
			return nil, err
		}
		if latest == 0 {
			return generate(open, name, 1, algorithm)
		}
		if got := hsm.AlgorithmOf(pair.Public()); got != algorithm {
			return nil, fmt.Errorf("%w: it exists as %s", lifecycle.Conflict, got)
		}
		return pair, nil
	})
	return err
}

// RotateSigningKey makes the next version; see [hsm.Keystore].
func (t *Token) RotateSigningKey(ctx context.Context, name string) error {
	if err := hsm.CheckKey(name, hsm.P256); err != nil {
		return err
	}
	_, err := use(ctx, t, "rotate signing key "+name, func(_ context.Context, open *crypto11.Context) (crypto11.Signer, error) {
		t.objects.Lock()
		defer t.objects.Unlock()
		latest, pair, err := find(open, name, 0)
		if err != nil {
			return nil, err
		}
		if latest == 0 {
			return nil, lifecycle.NotFound
		}
		return generate(open, name, latest+1, hsm.AlgorithmOf(pair.Public()))
	})
	return err
}

// SigningKey reads a version of a key; see [hsm.Keystore].
func (t *Token) SigningKey(ctx context.Context, name string, version int) (*hsm.SigningKey, error) {
	if err := hsm.CheckKey(name, hsm.P256); err != nil {
		return nil, err
	}
	return use(ctx, t, "read signing key "+name, func(_ context.Context, open *crypto11.Context) (*hsm.SigningKey, error) {
		t.objects.RLock()
		defer t.objects.RUnlock()
		found, pair, err := find(open, name, version)
		if err != nil {
			return nil, err
		}
		if pair == nil {
			return nil, fmt.Errorf("%w: no version %d", lifecycle.NotFound, version)
		}
		key := &versionKey{token: t, name: name, version: found, public: pair.Public(), open: open, pair: pair}
		return hsm.NewSigningKey(hsm.KeyVersion{Name: name, Version: found, Public: key.public, PerCall: perCall, Sign: key.sign})
	})
}

// find reads a version of a key, 0 for the latest; without one it answers 0 and
// nil. Key pairs of others under the same label have no version and are passed
// over.
func find(open *crypto11.Context, name string, version int) (int, crypto11.Signer, error) {
	pairs, err := open.FindKeyPairs(nil, []byte(name))
	if err != nil {
		return 0, nil, err
	}
	found, pair := 0, crypto11.Signer(nil)
	for _, p := range pairs {
		attribute, err := open.GetAttribute(p, crypto11.CkaId)
		if err != nil {
			return 0, nil, err
		}
		digits, ok := strings.CutPrefix(string(attribute.Value), name+"/")
		n, err := strconv.Atoi(digits)
		if !ok || err != nil || n < 1 {
			continue
		}
		if n == version || version == 0 && n > found {
			found, pair = n, p
		}
	}
	return found, pair, nil
}

// generate makes a key pair for signing alone: private, sensitive, not
// extractable (PKCS #11 v2.40 §4.9).
func generate(open *crypto11.Context, name string, version int, algorithm hsm.Algorithm) (crypto11.Signer, error) {
	public, err := crypto11.NewAttributeSetWithIDAndLabel(id(name, version), []byte(name))
	if err != nil {
		return nil, err
	}
	private := public.Copy()
	set := func(attributes crypto11.AttributeSet, to bool, types ...crypto11.AttributeType) {
		for _, a := range types {
			if e := attributes.Set(a, to); e != nil && err == nil {
				err = e
			}
		}
	}
	set(public, true, crypto11.CkaToken, crypto11.CkaVerify)
	set(public, false, crypto11.CkaEncrypt, crypto11.CkaWrap)
	set(private, true, crypto11.CkaToken, crypto11.CkaPrivate, crypto11.CkaSensitive, crypto11.CkaSign)
	set(private, false, crypto11.CkaExtractable, crypto11.CkaDecrypt, crypto11.CkaUnwrap)
	if err != nil {
		return nil, err
	}
	switch algorithm {
	case hsm.P256:
		return open.GenerateECDSAKeyPairWithAttributes(public, private, elliptic.P256())
	case hsm.P384:
		return open.GenerateECDSAKeyPairWithAttributes(public, private, elliptic.P384())
	case hsm.RSA3072:
		return open.GenerateRSAKeyPairWithAttributes(public, private, rsaBits)
	}
	return nil, fmt.Errorf("%w: the key is neither P-256, P-384 nor RSA of 3072 bits", lifecycle.Invalid)
}
