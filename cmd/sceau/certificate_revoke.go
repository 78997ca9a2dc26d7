package main

import (
	"errors"
	"fmt"
	"text/tabwriter"
	"time"

	"sceau/cmd/sceau/internal/house"
	"sceau/issuance"
	"sceau/lifecycle"
)

// callFlags say who asks, and how they were recognised.
type callFlags struct {
	asStaff

	ID             lifecycle.CertificateID    `arg:"" help:"The certificate, N-…"`
	Caller         lifecycle.Caller           `help:"On whose behalf: holder, representative of the company, or the bank by itself." enum:"holder,representative,bank" required:""`
	Representative lifecycle.RepresentativeID `help:"Who calls for the company, RP-…: see representatives." placeholder:"RP-…"`
	Right          []lifecycle.Question       `help:"A question that was answered right. One of user_number, registry_number, postal_address, email_address, date_of_birth, account_manager, certificate_end, identity_document, card_digits, account_number." placeholder:"QUESTION"`
	Wrong          []lifecycle.Question       `help:"A question that was answered wrong." placeholder:"QUESTION"`
	Requested      time.Time                  `help:"When the call came in, as 2026-03-02T09:30:00Z; default now." placeholder:"TIME"`
	Note           string                     `help:"In your own words; it is kept. Never what was answered."`
}

func (c callFlags) answers() []issuance.Answer {
	var all []issuance.Answer
	for _, q := range c.Right {
		all = append(all, issuance.Answer{Question: q, Right: true})
	}
	for _, q := range c.Wrong {
		all = append(all, issuance.Answer{Question: q})
	}
	return all
}

var errUnconfirmed = errors.New("nothing was done")

func (c callFlags) take(w *world, call issuance.RevocationCall) error {
	call.Caller, call.Representative, call.Answers, call.Requested, call.Note = c.Caller, c.Representative, c.answers(), c.Requested, c.Note
	return c.do(w, lifecycle.TakesRevocations(), func(h *house.House, by lifecycle.Actor) error {
		made, err := h.Service.CallRevocation(w.ctx, by, c.ID, call)
		if err != nil {
			return err
		}
		switch made.State {
		case lifecycle.RevocationUnconfirmed:
			return fmt.Errorf("%w: request %s is recorded and waits until %s: %s", errUnconfirmed, made.ID, made.Due.Format(time.RFC3339), made.Why)
		case lifecycle.RevocationScheduled:
			return say(w, "scheduled: receipt %s, to %s %s at %s", made.ID, made.Act, c.ID, made.Due.Format(time.RFC3339))
		case lifecycle.RevocationDone, lifecycle.RevocationClosed:
		}
		return say(w, "done: receipt %s, %s of %s at %s; OCSP and lists follow within seconds: sceau certificate show", made.ID, made.Act, c.ID, made.Ended.UTC().Format(time.RFC3339))
	})
}

type certificateRevokeCmd struct {
	callFlags

	Reason         string    `help:"unspecified, keyCompromise, affiliationChanged, superseded, cessationOfOperation, privilegeWithdrawn; a security officer also cACompromise, aACompromise." required:""`
	InvalidityDate time.Time `help:"Since when the key is not to be trusted, as 2026-03-01T00:00:00Z." placeholder:"TIME"`
	At             time.Time `help:"Revoke at this later moment." placeholder:"TIME"`
}

// Run revokes.
func (c certificateRevokeCmd) Run(w *world) error {
	reason, err := lifecycle.RevocationReasonOf(c.Reason)
	if err != nil {
		return err
	}
	return c.take(w, issuance.RevocationCall{
		Act: lifecycle.Revoke, Revocation: issuance.Revocation{Reason: reason, InvalidityDate: c.InvalidityDate}, Due: c.At,
	})
}

type certificateHoldCmd struct{ callFlags }

// Run holds.
func (c certificateHoldCmd) Run(w *world) error {
	return c.take(w, issuance.RevocationCall{Act: lifecycle.Hold})
}

type certificateReleaseCmd struct{ callFlags }

// Run releases.
func (c certificateReleaseCmd) Run(w *world) error {
	return c.take(w, issuance.RevocationCall{Act: lifecycle.Release})
}

type certificateCodeCmd struct {
	asStaff

	ID    lifecycle.CertificateID `arg:"" help:"The certificate, N-…"`
	Right []lifecycle.Question    `help:"A question that the holder answered right, as for a revocation." placeholder:"QUESTION"`
	Wrong []lifecycle.Question    `help:"One that was answered wrong." placeholder:"QUESTION"`
}

// Run makes the code.
func (c certificateCodeCmd) Run(w *world) error {
	return c.do(w, lifecycle.TakesRevocations(), func(h *house.House, by lifecycle.Actor) error {
		code, err := h.Service.GiveRevocationCode(w.ctx, by, c.ID, callFlags{Right: c.Right, Wrong: c.Wrong}.answers())
		if err != nil {
			return err
		}
		return say(w, "code: %s\nto be handed to the holder of %s, never by mail; it is shown once, and voids the one before", code.Reveal(), c.ID)
	})
}

// requestsCmd is about requests to revoke.
type requestsCmd struct {
	List     requestListCmd     `cmd:"" default:"withargs" help:"List requests, oldest first: who asked, how they were recognised, what came of it."`
	Forward  requestForwardCmd  `cmd:"" help:"Carry a scheduled revocation out now."`
	Withdraw requestWithdrawCmd `cmd:"" help:"Close one that waits, with a reason."`
}

type requestListCmd struct {
	databaseFlags

	Certificate lifecycle.CertificateID   `help:"On one certificate." placeholder:"N-…"`
	State       lifecycle.RevocationState `help:"unconfirmed, scheduled, done or closed." enum:",unconfirmed,scheduled,done,closed" default:""`
}

// Run lists.
func (c requestListCmd) Run(w *world) error {
	h, err := openHouse(w, c.databaseFlags, issuance.DefaultPolicy(), false)
	if err != nil {
		return err
	}
	defer h.Close()
	table := tabwriter.NewWriter(w.out, 0, 0, 2, ' ', 0)
	for filter := (issuance.RequestFilter{Certificate: c.Certificate, State: c.State}); ; {
		page, err := h.Service.RevocationRequests(w.ctx, filter)
		if err != nil {
			return err
		}
		if len(page) == 0 {
			return table.Flush()
		}
		for _, r := range page {
			if err := writeRequest(w, table, h, r); err != nil {
				return err
			}
		}
		filter.After = page[len(page)-1].ID
	}
}

func writeRequest(w *world, table *tabwriter.Writer, h *house.House, r issuance.RevocationRequest) error {
	answers, err := h.Service.CallerAnswers(w.ctx, r.ID)
	if err != nil {
		return err
	}
	asked := ""
	for _, a := range answers {
		asked += " " + string(a.Question) + map[bool]string{true: "=right", false: "=wrong"}[a.Right]
	}
	_, err = fmt.Fprintf(table, "%s\t%s\t%s %s\t%s\tfor %s%s, by %s:%s\t%s\tdue %s\t%s\n", r.ID, r.State, r.Act, r.Certificate, r.Reason,
		r.Caller, asked, r.RecognisedBy, r.TakenBy, r.Requested.Format(time.RFC3339), r.Due.Format(time.RFC3339), r.Why)
	return err
}

type requestForwardCmd struct {
	asStaff

	ID lifecycle.RevocationRequestID `arg:"" help:"The request, RV-…"`
}

// Run carries it out.
func (c requestForwardCmd) Run(w *world) error {
	return c.do(w, lifecycle.TakesRevocations(), func(h *house.House, by lifecycle.Actor) error {
		if err := h.Service.BringForward(w.ctx, by, c.ID); err != nil {
			return err
		}
		return say(w, "%s is carried out", c.ID)
	})
}

type requestWithdrawCmd struct {
	asStaff

	ID  lifecycle.RevocationRequestID `arg:"" help:"The request, RV-…"`
	Why string                        `help:"Who wants it withdrawn, and why; it is kept." required:""`
}

// Run closes it.
func (c requestWithdrawCmd) Run(w *world) error {
	return c.do(w, lifecycle.TakesRevocations(), func(h *house.House, by lifecycle.Actor) error {
		if err := h.Service.WithdrawRequest(w.ctx, by, c.ID, c.Why); err != nil {
			return err
		}
		return say(w, "%s is closed", c.ID)
	})
}

// representativesCmd is about who may call for a company.
type representativesCmd struct {
	List representativeListCmd `cmd:"" default:"withargs" help:"List those of a company, also of earlier days."`
	Name representativeNameCmd `cmd:"" help:"Record that somebody represents a company."`
	End  representativeEndCmd  `cmd:"" help:"Record that somebody does not any more."`
}

type representativeListCmd struct {
	databaseFlags

	Client string `arg:"" help:"The company's client ID."`
}

// Run lists.
func (c representativeListCmd) Run(w *world) error {
	h, err := openHouse(w, c.databaseFlags, issuance.DefaultPolicy(), false)
	if err != nil {
		return err
	}
	defer h.Close()
	all, err := h.Service.Representatives(w.ctx, c.Client)
	if err != nil {
		return err
	}
	table := tabwriter.NewWriter(w.out, 0, 0, 2, ' ', 0)
	for _, r := range all {
		ended := ""
		if !r.Ended.IsZero() {
			ended = "until " + r.Ended.Format(time.DateOnly)
		}
		_, _ = fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\n", r.ID, r.Name, r.Office, r.Recorded.Format(time.DateOnly), ended)
	}
	return table.Flush()
}

type representativeNameCmd struct {
	asStaff

	Client string `arg:"" help:"The company's client ID."`
	Name   string `help:"Given name and surname." required:""`
	Office string `help:"What makes them the representative: gérante, président, procuration." required:""`
}

// Run records it.
func (c representativeNameCmd) Run(w *world) error {
	return c.do(w, lifecycle.TakesRevocations(), func(h *house.House, by lifecycle.Actor) error {
		id, err := h.Service.NameRepresentative(w.ctx, by, c.Client, c.Name, c.Office)
		if err != nil {
			return err
		}
		return say(w, "representative: %s", id)
	})
}

type representativeEndCmd struct {
	asStaff

	Client string                     `arg:"" help:"The company's client ID."`
	ID     lifecycle.RepresentativeID `arg:"" help:"The representative, RP-…"`
}

// Run records it.
func (c representativeEndCmd) Run(w *world) error {
	return c.do(w, lifecycle.TakesRevocations(), func(h *house.House, by lifecycle.Actor) error {
		if err := h.Service.EndRepresentative(w.ctx, by, c.Client, c.ID); err != nil {
			return err
		}
		return say(w, "%s does not represent %s any more", c.ID, c.Client)
	})
}

// changes shows how each change of a certificate's status came to those who ask.
func changes(w *world, table *tabwriter.Writer, all []issuance.StatusChange) {
	for _, c := range all {
		told := func(at time.Time) string {
			if at.IsZero() {
				return "not yet"
			}
			return at.UTC().Format(time.RFC3339) + ", after " + at.Sub(c.Requested).Round(10*time.Millisecond).String()
		}
		_, _ = fmt.Fprintf(table, "%s asked for\t%s\n  recorded\t%s\n  told by OCSP\t%s\n  told by a list\t%s", c.Event,
			c.Requested.Format(time.RFC3339), told(c.Recorded), told(c.Answered), told(c.Listed))
		if c.ListNumber > 0 {
			_, _ = fmt.Fprintf(table, ", number %d", c.ListNumber)
		}
		_, _ = fmt.Fprintf(table, "\n  in all\t%s\n", c.Took(w.now()).Round(10*time.Millisecond))
	}
}

// published tells how long changes of status take until the world knows.
func published(w *world, h *house.House) examination {
	e := examination{what: "revocations, from the call to OCSP and lists"}
	slowest, any, err := h.Service.SlowestChange(w.ctx)
	switch {
	case err != nil:
		e.err = err
		return e
	case !any:
		e.found = "none in the last day"
		return e
	}
	took := slowest.Took(w.now()).Round(10 * time.Millisecond)
	e.found = fmt.Sprintf("the slowest of the last day took %s", took)
	if bound := h.Service.Policy().PublishWithin; took > bound {
		word := "took"
		if slowest.Pending() {
			word = "has taken"
		}
		e.err = fmt.Errorf("%w: %s of %s %s %s, more than %s (the rule is 24 h)", lifecycle.Invalid, slowest.Event, slowest.Certificate, word, took, bound)
	}
	return e
}
