package house

import (
	"context"
	"crypto"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"sceau/ca"
	"sceau/hsm"
	"sceau/issuance"
	"sceau/jobs"
	"sceau/lifecycle"
	"sceau/web/revocation"
)

// listsEvery is how often the doors look for newer lists.
const listsEvery = 2 * time.Second

// Public opens the revocation door: lists, OCSP, CA certificates. Of the key
// store it uses responders' keys only.
func (h *House) Public(ctx context.Context, keys hsm.Keystore, lists string) (*revocation.Handler, error) {
	known, err := authorities(ctx, h.Service)
	if err != nil {
		return nil, err
	}
	if known[IssuingID] == nil {
		return nil, fmt.Errorf("%w: there is no CA yet: hold `sceau ceremony` first", lifecycle.Illegal)
	}
	responder, err := h.responder(ctx, known[IssuingID], hsm.NewKeyring(keys))
	if err != nil {
		return nil, err
	}
	c := revocation.Config{
		Lists: lists, Responders: []revocation.Responder{responder}, Source: statusSource{h.Service}, Now: h.config.Now,
		Logger: h.config.Logger,
	}
	for id, certificate := range known {
		a := revocation.Authority{ID: id, Certificate: certificate}
		if id != RootID && known[RootID] != nil {
			a.Chain = []*x509.Certificate{known[RootID]}
		}
		c.Authorities = append(c.Authorities, a)
	}
	if err := h.SyncLists(ctx, lists); err != nil {
		return nil, err
	}
	return revocation.New(c)
}

func (h *House) responder(ctx context.Context, issuer *x509.Certificate, keys *hsm.Keyring) (revocation.Responder, error) {
	delegate, err := h.Service.NewestDelegate(ctx, IssuingID, issuance.DelegateOCSP)
	if err != nil {
		return revocation.Responder{}, err
	}
	certificate, err := x509.ParseCertificate(delegate.Certificate)
	if err != nil {
		return revocation.Responder{}, fmt.Errorf("responder certificate: %w", err)
	}
	responder, err := ca.NewResponder(issuer, certificate, h.Service.Policy().OCSPValidity)
	if err != nil {
		return revocation.Responder{}, err
	}
	return revocation.Responder{
		IssuerID: IssuingID, Responder: responder,
		Signer: func(ctx context.Context) (crypto.Signer, error) {
			return keys.Signer(ctx, delegate.Key, certificate.PublicKey)
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
	newest, err := h.Service.NewestCRL(ctx, issuer, shard)
	if err != nil {
		return err
	}
	if err := revocation.WriteLists(folder, issuer, shard, newest.Full, newest.Delta); err != nil {
		return err
	}
	h.synced.Store(path, newest.Number)
	return nil
}

// FollowLists keeps the folder of lists up to date until ctx ends. While the
// database is down the lists on disk stay.
func (h *House) FollowLists(ctx context.Context, folder string) {
	tick := time.NewTicker(listsEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if err := h.SyncLists(ctx, folder); err != nil && ctx.Err() == nil {
			h.config.Logger.WarnContext(ctx, "lists", slog.String("error", err.Error()))
		}
	}
}

// statusSource answers the revocation door from the use cases.
type statusSource struct{ service *issuance.Service }

// Status reads one status with the answer signed ahead for it.
func (s statusSource) Status(ctx context.Context, issuer string, serial []byte) (ca.Status, *revocation.Presigned, error) {
	if len(serial) != len(lifecycle.Serial{}) {
		return ca.Status{}, nil, nil // no serial of ours has another length
	}
	st, err := s.service.Status(ctx, issuer, lifecycle.Serial(serial))
	if err != nil {
		return ca.Status{}, nil, err
	}
	status := jobs.StatusOf(st)
	if st.Answer == nil {
		return status, nil, nil
	}
	answer := ca.Answer{DER: st.Answer, ThisUpdate: st.ThisUpdate, NextUpdate: st.NextUpdate}
	return status, &revocation.Presigned{State: status.State, Answer: answer}, nil
}
