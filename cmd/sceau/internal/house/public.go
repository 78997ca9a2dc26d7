package house

import (
	"context"
	"crypto"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"time"

	"sceau/ca"
	"sceau/hsm"
	"sceau/issuance"
	"sceau/jobs"
	"sceau/lifecycle"
	"sceau/web/revocation"
)

// PublicDoor is the open revocation door.
type PublicDoor struct {
	*revocation.Handler

	house  *House
	keys   *hsm.Keyring
	marks  MarkReader // nil: none can be read
	lists  string     // folder
	memory *revocation.Memory

	seen     issuance.StatusMark // up to where memory knows the statuses; Follow's
	restored atomic.Bool         // the database knows less than it did, or than its marks: it is asked nothing more
}

// Public opens the revocation door: lists, OCSP, CA certificates. Of the key
// store it uses responders' keys only, and the marks, nil where there are none,
// to see whether the database was restored. Whoever opens it lets it follow the
// database: [PublicDoor.Follow].
func (h *House) Public(ctx context.Context, keys hsm.Keystore, marks MarkReader, lists string) (*PublicDoor, error) {
	d := &PublicDoor{house: h, keys: hsm.NewKeyring(keys), marks: marks, lists: lists}
	d.memory = revocation.NewMemory(statusSource{h.Service, h.config.Now, &d.restored})
	if err := d.compareMarks(ctx); err != nil {
		d.complain(ctx, "marks", err) // it speaks of what it has; while it follows it looks again
	}
	authorities, responders, err := d.speakers(ctx)
	if err != nil {
		return nil, err
	}
	if err := h.SyncLists(ctx, lists); err != nil {
		return nil, err
	}
	d.Handler, err = revocation.New(revocation.Config{
		Lists: lists, Authorities: authorities, Responders: responders, Source: d.memory, Keep: d.memory.Keep, Holding: d.memory.Held,
		Now: h.config.Now, Logger: h.config.Logger,
	})
	return d, err
}

// speakers are the CAs of the house, and who answers for each that has a
// responder.
func (d *PublicDoor) speakers(ctx context.Context) (authorities []revocation.Authority, responders []revocation.Responder, err error) {
	all, err := d.house.Service.Authorities(ctx)
	if err != nil {
		return nil, nil, err
	}
	certificates := make(map[string]*x509.Certificate, len(all))
	for _, a := range all {
		if certificates[a.ID], err = x509.ParseCertificate(a.Certificate); err != nil {
			return nil, nil, fmt.Errorf("certificate of %s: %w", a.ID, err)
		}
	}
	crosses, err := d.house.crosses(ctx)
	if err != nil {
		return nil, nil, err
	}
	ended := false
	for _, a := range all {
		known := revocation.Authority{ID: a.ID, Certificate: certificates[a.ID]}
		if parent := certificates[a.Parent]; parent != nil {
			known.Chain = []*x509.Certificate{parent}
		}
		known.Chain = append(known.Chain, crosses[a.ID]...)
		authorities = append(authorities, known)
		if a.State == lifecycle.IssuerEnded { // its last lists tell all there is to know
			ended = true
			continue
		}
		responder, err := d.responder(ctx, a.ID, certificates[a.ID])
		if isNotFound(err) {
			continue // nobody answers for it: the root has a list only
		}
		if err != nil {
			return nil, nil, err
		}
		responders = append(responders, responder)
	}
	if len(responders) == 0 && !ended {
		return nil, nil, fmt.Errorf("%w: there is no CA yet: hold `sceau ceremony` first", lifecycle.Illegal)
	}
	return authorities, responders, nil
}

// crosses are the cross-certificates of each root's key that have neither ended nor
// been revoked.
func (h *House) crosses(ctx context.Context) (map[string][]*x509.Certificate, error) {
	all, err := h.Service.CrossCertificates(ctx)
	if err != nil {
		return nil, err
	}
	of := map[string][]*x509.Certificate{}
	for _, x := range all {
		if x.Revoked {
			continue
		}
		certificate, err := x509.ParseCertificate(x.Certificate)
		if err != nil {
			return nil, fmt.Errorf("cross-certificate of %s by %s: %w", x.Subject, x.Issuer, err)
		}
		if !h.config.Now().After(certificate.NotAfter) {
			of[x.Subject] = append(of[x.Subject], certificate)
		}
	}
	return of, nil
}

func (d *PublicDoor) responder(ctx context.Context, id string, issuer *x509.Certificate) (revocation.Responder, error) {
	delegate, err := d.house.Service.NewestDelegate(ctx, id, issuance.DelegateOCSP)
	if err != nil {
		return revocation.Responder{}, err
	}
	certificate, err := x509.ParseCertificate(delegate.Certificate)
	if err != nil {
		return revocation.Responder{}, fmt.Errorf("responder certificate: %w", err)
	}
	responder, err := ca.NewResponder(issuer, certificate, d.house.Service.Policy().OCSPValidity)
	if err != nil {
		return revocation.Responder{}, err
	}
	return revocation.Responder{
		IssuerID: id, Responder: responder,
		Signer: func(ctx context.Context) (crypto.Signer, error) {
			return d.keys.Signer(ctx, delegate.Key, certificate.PublicKey)
		},
	}, nil
}

// SyncLists brings the folder of lists to the newest published ones.
func (h *House) SyncLists(ctx context.Context, folder string) error {
	all, err := h.Service.Authorities(ctx)
	if err != nil {
		return err
	}
	var failed error // of one shard: the others' lists are brought all the same
	for _, a := range all {
		for shard := range a.Shards {
			err := h.syncList(ctx, folder, a.ID, shard)
			if err != nil && !isNotFound(err) { // not published yet
				failed = errors.Join(failed, err)
			}
		}
	}
	return failed
}

// syncList brings one shard's lists to the folder, unless this process has
// brought these already and they are still there. Their bytes are read only then.
func (h *House) syncList(ctx context.Context, folder, issuer string, shard int) error {
	head, err := h.Service.HeadCRL(ctx, issuer, shard)
	if err != nil {
		return err
	}
	path := filepath.Join(folder, issuer, strconv.Itoa(shard)+".crl")
	if there, err := os.Stat(path); err == nil && there.Size() == int64(head.FullSize) {
		if number, ok := h.synced.Load(path); ok && number == head.Number {
			return nil
		}
	}
	full, delta := h.Service.OpenCRL(ctx, issuer, shard, head, false), h.Service.OpenCRL(ctx, issuer, shard, head, true)
	if err := revocation.WriteLists(folder, issuer, shard, full, delta); err != nil {
		return err
	}
	h.synced.Store(path, head.Number)
	return nil
}

// statusSource answers the revocation door from the use cases.
type statusSource struct {
	service  *issuance.Service
	now      func() time.Time
	restored *atomic.Bool
}

// Status reads one status with the answer signed ahead for it.
func (s statusSource) Status(ctx context.Context, issuer string, serial []byte) (revocation.Known, error) {
	if s.restored.Load() {
		return revocation.Known{}, errRestored
	}
	asOf := s.now()
	var st issuance.CertificateStatus
	if len(serial) == len(lifecycle.Serial{}) { // no serial of ours has another length
		var err error
		if st, err = s.service.Status(ctx, issuer, lifecycle.Serial(serial)); err != nil {
			return revocation.Known{}, err
		}
	}
	known := knownOf(st)
	known.AsOf = asOf
	return known, nil
}

func knownOf(st issuance.CertificateStatus) revocation.Known {
	known := revocation.Known{Status: jobs.StatusOf(st), Version: st.Version}
	if st.Answer != nil {
		known.Ahead[0] = revocation.NewPresigned(known.Status.State, ca.Answer{DER: st.Answer, ThisUpdate: st.ThisUpdate, NextUpdate: st.NextUpdate})
	}
	return known
}
