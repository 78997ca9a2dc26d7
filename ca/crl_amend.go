package ca

import (
	"crypto/x509"
	"fmt"
	"hash"
	"io"
	"iter"
	"slices"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"sceau/lifecycle"
)

// Amend gives the entries of the list that follows last, when changed are the
// entries of all that changed since: each stands in the place of what last says of
// its serial, and removeFromCRL is gone. Both are in the order of their serials, and
// nothing of last is held. It must be a full list that the issuer signed, which is
// known once all of it is read: an error in the place of the end says that what was
// drawn is good for nothing. Errors of last are [lifecycle.Invalid].
func Amend(last io.Reader, issuer *x509.Certificate, changed iter.Seq2[[]byte, error]) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		next, stop := iter.Pull2(changed)
		defer stop()
		a := amendment{next: next, yield: yield}
		if err := a.run(last, issuer); err != nil && !a.enough {
			yield(nil, err)
		}
	}
}

type amendment struct {
	next   func() ([]byte, error, bool)
	yield  func([]byte, error) bool
	change []byte // the next change; nil: no more
	enough bool   // whoever draws wants no more
}

func (a *amendment) run(last io.Reader, issuer *x509.Certificate) error {
	alg, err := signatureAlgorithm(issuer.PublicKey)
	if err != nil {
		return err
	}
	signed := &signedPart{hash: alg.hash.New(), left: -1}
	l, walk, err := openCRL(io.TeeReader(last, signed))
	if err != nil {
		return fmt.Errorf("%w: read the last list: %w", lifecycle.Invalid, err)
	}
	if err := a.draw(); err != nil {
		return err
	}
	for {
		if err := walk.step(); err != nil {
			return fmt.Errorf("%w: read the last list: %w", lifecycle.Invalid, err)
		}
		if err := a.entry(walk); err != nil || a.enough {
			return err
		}
		if walk.done {
			break
		}
	}
	if err := l.finish(walk); err != nil {
		return fmt.Errorf("%w: read the last list: %w", lifecycle.Invalid, err)
	}
	if _, err := io.Copy(io.Discard, walk.in); err != nil {
		return fmt.Errorf("read the last list: %w", err)
	}
	signature, ok := signed.signature()
	if !ok || l.BaseNumber != 0 || !slices.Equal(l.Issuer, issuer.RawSubject) {
		return fmt.Errorf("%w: the last list is no full list of the issuer", lifecycle.Invalid)
	}
	if err := verifyDigest(issuer.PublicKey, alg.hash, signed.hash.Sum(nil), signature); err != nil {
		return fmt.Errorf("%w: the last list: %w", lifecycle.Invalid, err)
	}
	return nil
}

// entry gives the changes before the entry that the walk stands on, and then the
// entry, unless it has changed. At the end of the list it gives all that are left.
func (a *amendment) entry(walk *entryWalk) error {
	for a.change != nil {
		order := -1
		if !walk.done {
			order = compareSerials(serialOf(a.change), walk.last)
		}
		if order > 0 {
			break
		}
		gone, err := removes(a.change)
		if err != nil {
			return err
		}
		if !gone && !a.give(a.change) {
			return nil
		}
		if err := a.draw(); err != nil || order == 0 {
			return err
		}
	}
	if !walk.done {
		a.give(walk.raw)
	}
	return nil
}

func (a *amendment) give(entry []byte) bool {
	a.enough = !a.yield(entry, nil)
	return !a.enough
}

// draw takes the next change.
func (a *amendment) draw() error {
	change, err, ok := a.next()
	if err != nil {
		return fmt.Errorf("read what changed: %w", err)
	}
	if !ok {
		a.change = nil
		return nil
	}
	a.change = change
	return nil
}

// removes tells whether an entry is removeFromCRL.
func removes(entry []byte) (bool, error) {
	in := cryptobyte.String(entry)
	r, ok := readRevoked(&in)
	if !ok || !in.Empty() {
		return false, fmt.Errorf("%w: what changed: an entry is malformed", lifecycle.Invalid)
	}
	return r.Reason == lifecycle.ReasonRemoveFromCRL, nil
}

// signedPart hashes of a list's octets, as they pass, those that are signed, and
// keeps those behind them.
type signedPart struct {
	hash hash.Hash
	head []byte // until it is known where they begin
	left int    // of what is signed; below 0: its length is not known yet
	rest []byte
}

// Write takes the next octets.
func (p *signedPart) Write(octets []byte) (int, error) {
	n := len(octets)
	if p.left < 0 {
		p.head = append(p.head, octets...)
		body := cryptobyte.String(p.head)
		_, ok := readHeader(&body)
		start := len(p.head) - len(body)
		length, inner := readHeader(&body)
		if !ok || !inner {
			if len(p.head) < 2*maxHeader { // the rest of the heads is to come
				return n, nil
			}
			return 0, errList
		}
		p.left, octets, p.head = len(p.head)-start-len(body)+length, p.head[start:], nil
	}
	some := min(p.left, len(octets))
	p.hash.Write(octets[:some])
	p.left -= some
	if p.rest = append(p.rest, octets[some:]...); len(p.rest) > maxSignature {
		return 0, errList
	}
	return n, nil
}

// signature is what stands behind.
func (p *signedPart) signature() (signature []byte, ok bool) {
	in := cryptobyte.String(p.rest)
	var alg cryptobyte.String
	ok = p.left == 0 && in.ReadASN1(&alg, cbasn1.SEQUENCE) && in.ReadASN1BitStringAsBytes(&signature) && in.Empty()
	return signature, ok
}
