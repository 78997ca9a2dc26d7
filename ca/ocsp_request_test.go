package ca

import (
	"bytes"
	"crypto"
	"errors"
	"math/big"
	"testing"

	"golang.org/x/crypto/ocsp"

	"sceau/lifecycle"
)

// requestDER builds a request by hand: parts no library writes.
func ocspRequestDER(id []byte, nonce []byte, more ...[]byte) []byte {
	list := bytes.Join(append([][]byte{tlv(0x30, id)}, more...), nil)
	body := tlv(0x30, list)
	if nonce != nil {
		ext := tlv(0x30, append(tlv(tagOID, derOCSPNonce), tlv(tagOctetString, tlv(tagOctetString, nonce))...))
		body = append(body, tlv(0xa2, tlv(0x30, ext))...)
	}
	return tlv(0x30, tlv(0x30, body))
}

func tlv(tag byte, content []byte) []byte {
	return append(appendHeader(nil, tag, len(content)), content...)
}

func TestNoncesOfEveryAllowedLengthAreEchoed(t *testing.T) {
	t.Parallel()
	h := setup(t)
	id := must[*OCSPRequest](t)(h.responder.Request(serialNumber(t), crypto.SHA1)).IDs[0]
	for n := range 200 {
		nonce := bytes.Repeat([]byte{0xab}, n)
		der := ocspRequestDER(id.Raw(), nonce)
		req, err := ParseOCSPRequest(der)
		if n < 1 || n > 128 {
			if !errors.Is(err, lifecycle.Invalid) {
				t.Errorf("a nonce of %d octets: error %v", n, err)
			}
			continue
		}
		if err != nil {
			t.Fatalf("a nonce of %d octets: %v", n, err)
		}
		answer := must[Answer](t)(h.responder.Answer(req, []Status{good}, testNow, h.ocspKey))
		echoed := tlv(0x30, append(tlv(tagOID, derOCSPNonce), tlv(tagOctetString, tlv(tagOctetString, nonce))...))
		if !bytes.Contains(answer.DER, echoed) {
			t.Errorf("a nonce of %d octets is not in the answer", n)
		}
	}
	req := must[*OCSPRequest](t)(ParseOCSPRequest(ocspRequestDER(id.Raw(), nil)))
	if answer := must[Answer](t)(h.responder.Answer(req, []Status{good}, testNow, h.ocspKey)); bytes.Contains(answer.DER, derOCSPNonce) {
		t.Error("an answer has a nonce that nobody sent")
	}
}

func TestParseOCSPRequestRefuses(t *testing.T) {
	t.Parallel()
	h := setup(t)
	id := must[*OCSPRequest](t)(h.responder.Request(serialNumber(t), crypto.SHA1)).IDs[0].Raw()
	whole := ocspRequestDER(id, []byte{1})
	ext := func(oid []byte, critical bool, value []byte) []byte {
		body := tlv(tagOID, oid)
		if critical {
			body = append(body, 1, 1, 0xff)
		}
		return tlv(0x30, append(body, tlv(tagOctetString, value)...))
	}
	withExtensions := func(exts ...[]byte) []byte {
		body := append(tlv(0x30, tlv(0x30, id)), tlv(0xa2, tlv(0x30, bytes.Join(exts, nil)))...)
		return tlv(0x30, tlv(0x30, body))
	}
	nonce := ext(derOCSPNonce, false, tlv(tagOctetString, []byte{1, 2}))
	other := []byte{0x2b, 6, 1, 5, 5, 7, 48, 1, 4}
	many := make([][]byte, MaxCertIDs)
	for i := range many {
		many[i] = tlv(0x30, id)
	}
	for name, tc := range map[string]struct {
		der []byte
		ok  bool
	}{
		"a whole request":                   {whole, true},
		"an unknown extension":              {withExtensions(nonce, ext(other, false, []byte{5, 0})), true},
		"version 1 written out":             {tlv(0x30, tlv(0x30, append(tlv(0xa0, []byte{2, 1, 0}), tlv(0x30, tlv(0x30, id))...))), true},
		"a signature":                       {tlv(0x30, append(tlv(0x30, tlv(0x30, tlv(0x30, id))), tlv(0xa0, []byte{0x30, 0})...)), true},
		"a requestor's name":                {tlv(0x30, tlv(0x30, append(tlv(0xa1, []byte{0x82, 1, 'x'}), tlv(0x30, tlv(0x30, id))...))), true},
		"nothing":                           {nil, false},
		"a critical unknown extension":      {withExtensions(ext(other, true, []byte{5, 0})), false},
		"two nonces":                        {withExtensions(nonce, nonce), false},
		"a bare nonce":                      {withExtensions(ext(derOCSPNonce, false, []byte{1, 2, 3})), false},
		"version 2":                         {tlv(0x30, tlv(0x30, append(tlv(0xa0, []byte{2, 1, 1}), tlv(0x30, tlv(0x30, id))...))), false},
		"no certificate":                    {tlv(0x30, tlv(0x30, tlv(0x30, nil))), false},
		"seventeen certificates":            {ocspRequestDER(id, nil, many...), false},
		"an octet at the end":               {append(bytes.Clone(whole), 0), false},
		"a critical extension for a single": {tlv(0x30, tlv(0x30, tlv(0x30, tlv(0x30, append(bytes.Clone(id), tlv(0xa0, tlv(0x30, ext(other, true, nil)))...))))), false},
		"more than 2048 octets":             {make([]byte, MaxOCSPRequestSize+1), false},
		"a serial of 22 octets":             {ocspRequestDER(bytes.Replace(id, append([]byte{2, 16}, id[len(id)-16:]...), tlv(2, bytes.Repeat([]byte{1}, 22)), 1), nil), false},
	} {
		if _, err := ParseOCSPRequest(tc.der); tc.ok != (err == nil) || err != nil && !errors.Is(err, lifecycle.Invalid) {
			t.Errorf("%s: error %v", name, err)
		}
	}
	for n := range whole {
		if _, err := ParseOCSPRequest(whole[:n]); err == nil {
			t.Errorf("a request cut at %d octets is taken", n)
		}
	}
}

func FuzzParseOCSPRequest(f *testing.F) {
	h := setup(f)
	id := must[*OCSPRequest](f)(h.responder.Request(lifecycle.Serial{0x40}, crypto.SHA1)).IDs[0].Raw()
	f.Add(ocspRequestDER(id, nil))
	f.Add(ocspRequestDER(id, []byte("0123456789abcdef"), tlv(0x30, id)))
	f.Add(must[[]byte](f)(ocsp.CreateRequest(h.issuer.Certificate, h.root.Certificate, &ocsp.RequestOptions{Hash: crypto.SHA256})))
	f.Fuzz(func(t *testing.T, der []byte) {
		req, err := ParseOCSPRequest(der)
		if err != nil {
			if !errors.Is(err, lifecycle.Invalid) {
				t.Fatalf("error %v is not invalid", err)
			}
			return
		}
		if len(req.IDs) < 1 || len(req.IDs) > MaxCertIDs || len(req.Nonce) > maxNonce || req.Nonce != nil && len(req.Nonce) == 0 {
			t.Fatalf("out of bounds: %+v", req)
		}
		for _, id := range req.IDs {
			if !bytes.Contains(der, id.Raw()) || len(id.Serial) > maxSerialSize+1 || len(id.Serial) > 0 && id.Serial[0] == 0 {
				t.Fatalf("certificate %+v", id)
			}
		}
		// What x/crypto/ocsp takes too, it must read alike.
		if theirs, err := ocsp.ParseRequest(der); err == nil && len(req.IDs[0].Serial) > 0 &&
			theirs.SerialNumber.Cmp(new(big.Int).SetBytes(req.IDs[0].Serial)) != 0 {
			t.Fatalf("serial %x, x/crypto reads %x", req.IDs[0].Serial, theirs.SerialNumber)
		}
		answer, err := h.responder.Answer(req, make([]Status, len(req.IDs)), testNow, h.ocspKey)
		if err == nil && !bytes.Contains(answer.DER, req.IDs[0].Raw()) {
			t.Fatal("the answer is about something else")
		}
	})
}
