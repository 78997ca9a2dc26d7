package main

import (
	"fmt"

	"sceau/authn"
	"sceau/cmd/sceau/internal/house"
	"sceau/lifecycle"
)

// serviceCmd is about relying services.
type serviceCmd struct {
	List   apiKeyListCmd    `cmd:"" help:"List services with their keys and certificates."`
	End    serviceEndCmd    `cmd:"" help:"End a service: nothing of it opens the door any more."`
	Limit  serviceLimitCmd  `cmd:"" help:"Say how often a service may call in a minute."`
	Bind   serviceBindCmd   `cmd:"" help:"Let a service call by a client certificate of the house, of kind service_client."`
	Unbind serviceUnbindCmd `cmd:"" help:"Take that back."`
}

type serviceEndCmd struct {
	asOfficer

	Service lifecycle.ServiceID `arg:"" help:"The service, SV-…"`
}

// Run ends it.
func (c serviceEndCmd) Run(w *world) error {
	return c.do(w, func(_ *house.House, keys *authn.Service, by lifecycle.Actor) error {
		return keys.EndService(w.ctx, by, c.Service)
	})
}

type serviceLimitCmd struct {
	asOfficer

	Service lifecycle.ServiceID `arg:"" help:"The service, SV-…"`
	Calls   int                 `arg:"" help:"Calls a minute, all its keys and all doors together."`
}

// Run sets the limit.
func (c serviceLimitCmd) Run(w *world) error {
	return c.do(w, func(_ *house.House, keys *authn.Service, by lifecycle.Actor) error {
		return keys.LimitService(w.ctx, by, c.Service, c.Calls)
	})
}

// oneBinding is what the commands about one certificate of a service take.
type oneBinding struct {
	asOfficer

	Service lifecycle.ServiceID `arg:"" help:"The service, SV-…"`
	Serial  string              `arg:"" help:"Serial number of the certificate, hexadecimal."`
}

type serviceBindCmd struct {
	oneBinding

	Scopes []authn.Scope `help:"What it may do by this certificate: ${scopes}." required:""`
}

// Run binds.
func (c serviceBindCmd) Run(w *world) error {
	return c.certificate(w, func(keys *authn.Service, by lifecycle.Actor, id lifecycle.CertificateID) error {
		if err := keys.BindCertificate(w.ctx, by, c.Service, id, c.Scopes); err != nil {
			return err
		}
		_, err := fmt.Fprintf(w.out, "%s calls by certificate %s, as long as it is active\n", c.Service, id)
		return err
	})
}

type serviceUnbindCmd struct{ oneBinding }

// Run takes it back.
func (c serviceUnbindCmd) Run(w *world) error {
	return c.certificate(w, func(keys *authn.Service, by lifecycle.Actor, id lifecycle.CertificateID) error {
		return keys.UnbindCertificate(w.ctx, by, c.Service, id)
	})
}

func (c oneBinding) certificate(w *world, work func(keys *authn.Service, by lifecycle.Actor, id lifecycle.CertificateID) error) error {
	serial, err := lifecycle.ParseSerial(c.Serial)
	if err != nil {
		return err
	}
	return c.do(w, func(h *house.House, keys *authn.Service, by lifecycle.Actor) error {
		id, err := h.Service.SystemCertificate(w.ctx, serial)
		if err != nil {
			return err
		}
		return work(keys, by, id)
	})
}
