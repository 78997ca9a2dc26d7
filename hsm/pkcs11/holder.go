//go:build pkcs11

package pkcs11

import (
	"context"
	"crypto/x509"
	"fmt"
	"strings"

	"github.com/ThalesGroup/crypto11"
	"github.com/miekg/pkcs11"

	"sceau/lifecycle"
)

// Identity is what a token says of itself.
type Identity struct{ Manufacturer, Model, Serial string }

// Identity asks the token who it is. The module is loaded beside crypto11, which
// does not tell, and stays initialised by it.
func (t *Token) Identity(ctx context.Context) (Identity, error) {
	return use(ctx, t, "identity of token "+t.config.Token, func(context.Context, *crypto11.Context) (Identity, error) {
		module := pkcs11.New(t.config.Module)
		if module == nil {
			return Identity{}, fmt.Errorf("%w: the module does not load", lifecycle.Unavailable)
		}
		defer module.Destroy()
		slots, err := module.GetSlotList(true)
		if err != nil {
			return Identity{}, err
		}
		for _, slot := range slots {
			info, err := module.GetTokenInfo(slot)
			if err == nil && strings.TrimRight(info.Label, " \x00") == t.config.Token {
				trim := func(s string) string { return strings.TrimRight(s, " \x00") }
				return Identity{Manufacturer: trim(info.ManufacturerID), Model: trim(info.Model), Serial: trim(info.SerialNumber)}, nil
			}
		}
		return Identity{}, fmt.Errorf("%w: no slot has it", lifecycle.NotFound)
	})
}

// KeepCertificate writes the certificate of the first version of a key beside it,
// once, so that programs find both.
func (t *Token) KeepCertificate(ctx context.Context, name string, certificate *x509.Certificate) error {
	_, err := use(ctx, t, "keep certificate "+name, func(_ context.Context, open *crypto11.Context) (struct{}, error) {
		t.objects.Lock()
		defer t.objects.Unlock()
		there, err := open.FindCertificate(id(name, 1), nil, nil)
		if err != nil || there != nil && there.Equal(certificate) {
			return struct{}{}, err
		}
		if there != nil {
			return struct{}{}, fmt.Errorf("%w: another certificate is there", lifecycle.Conflict)
		}
		return struct{}{}, open.ImportCertificateWithLabel(id(name, 1), []byte(name), certificate)
	})
	return err
}
