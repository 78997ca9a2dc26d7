package issuance_test

import (
	"context"

	"sceau/issuance"
	"sceau/lifecycle"
)

// helene stands for the holder of whatever a test is about: each order of a file
// is of a person of its own, and nobody but them may act on it as its holder.

func (h *house) ofCard(ctx context.Context, by lifecycle.Actor, id lifecycle.CardID) lifecycle.Actor {
	if by != helene {
		return by
	}
	card, err := h.store.Card(ctx, id)
	if err != nil {
		return by
	}
	return lifecycle.Actor{ID: string(card.HolderID), Role: lifecycle.RoleHolder}
}

func (h *house) ofCertificate(ctx context.Context, by lifecycle.Actor, id lifecycle.CertificateID) lifecycle.Actor {
	if by != helene {
		return by
	}
	cert, err := h.store.Certificate(ctx, id)
	if err != nil {
		return by
	}
	return lifecycle.Actor{ID: string(cert.HolderID), Role: lifecycle.RoleHolder}
}

func (h *house) Oppose(ctx context.Context, by lifecycle.Actor, id lifecycle.CardID, reason lifecycle.CardReason) (issuance.Opposition, error) {
	return h.Service.Oppose(ctx, h.ofCard(ctx, by, id), id, reason)
}

func (h *house) Suspend(ctx context.Context, by lifecycle.Actor, id lifecycle.CardID) error {
	return h.Service.Suspend(ctx, h.ofCard(ctx, by, id), id)
}

func (h *house) Resume(ctx context.Context, by lifecycle.Actor, id lifecycle.CardID) error {
	return h.Service.Resume(ctx, h.ofCard(ctx, by, id), id)
}

func (h *house) Receive(ctx context.Context, by lifecycle.Actor, id lifecycle.CardID) error {
	return h.Service.Receive(ctx, h.ofCard(ctx, by, id), id)
}

// collect takes a card at the branch with a passport.
func (h *house) collect(ctx context.Context, by lifecycle.Actor, id lifecycle.CardID) error {
	return h.Collect(ctx, h.ofCard(ctx, by, id), id, issuance.Identity{Document: "passport", Number: "12AB34567"})
}

func (h *house) BlockPIN(ctx context.Context, by lifecycle.Actor, id lifecycle.CardID) error {
	return h.Service.BlockPIN(ctx, h.ofCard(ctx, by, id), id)
}

func (h *house) Activate(ctx context.Context, by lifecycle.Actor, id lifecycle.CardID) error {
	return h.Service.Activate(ctx, h.ofCard(ctx, by, id), id)
}

func (h *house) TakeKey(ctx context.Context, by lifecycle.Actor, id lifecycle.CertificateID, csr []byte) error {
	return h.Service.TakeKey(ctx, h.ofCertificate(ctx, by, id), id, csr, nil)
}

func (h *house) Accept(ctx context.Context, by lifecycle.Actor, id lifecycle.CertificateID) error {
	return h.Service.Accept(ctx, h.ofCertificate(ctx, by, id), id, []byte("signed by the holder"))
}

func (h *house) Hold(ctx context.Context, by lifecycle.Actor, id lifecycle.CertificateID) error {
	return h.Service.Hold(ctx, h.ofCertificate(ctx, by, id), id)
}

func (h *house) Release(ctx context.Context, by lifecycle.Actor, id lifecycle.CertificateID) error {
	return h.Service.Release(ctx, h.ofCertificate(ctx, by, id), id)
}

func (h *house) Revoke(ctx context.Context, by lifecycle.Actor, id lifecycle.CertificateID, r issuance.Revocation) error {
	return h.Service.Revoke(ctx, h.ofCertificate(ctx, by, id), id, r)
}
