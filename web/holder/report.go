package holder

import (
	"time"

	"sceau/issuance"
	"sceau/lifecycle"
)

const (
	advicePath = "/advice"
	reportPath = "/report"
)

// reported is a report of something suspicious as the page and programs see it.
type reported struct {
	Kinds    []string  `json:"kinds,omitempty"`
	Receipt  string    `json:"receipt,omitempty"`
	Received time.Time `json:"received,omitzero"`
	Kind     string    `json:"kind,omitempty"`
	Said     said      `json:"-"`
}

// said is what somebody typed, so that it need not be typed again.
type said struct {
	Kind     string `json:"kind"`
	Told     string `json:"told"`
	Client   string `json:"client_id"`
	User     string `json:"user_number"`
	Happened string `json:"happened"` // a day, or nothing
	Contact  string `json:"contact"`
}

// showAdvice is what to do about suspicious messages, calls and sites.
func (d *door) showAdvice(*visit) (answer, error) { return answer{page: pageAdvice}, nil }

func (d *door) showReport(*visit) (answer, error) {
	return answer{page: pageReport, reported: &reported{Kinds: lifecycle.FraudKinds()}}, nil
}

// report keeps a report of somebody who did not sign in, and gives the receipt.
func (d *door) report(v *visit) (answer, error) {
	v.page = pageReport
	v.reported = &reported{Kinds: lifecycle.FraudKinds()}
	var s said
	if err := v.read(&s, func(f form) error {
		s = said{f.text("kind"), f.text("told"), f.text("client_id"), f.text("user_number"), f.text("happened"), f.text("contact")}
		return nil
	}); err != nil {
		return answer{}, err
	}
	v.reported.Said = s
	r := issuance.FraudReport{Kind: s.Kind, Told: s.Told, ClientID: s.Client, UserNumber: s.User, Contact: s.Contact, Language: v.language}
	if s.Happened != "" {
		var err error
		if r.Happened, err = time.Parse(time.DateOnly, s.Happened); err != nil {
			return answer{}, &lifecycle.FieldError{Field: "happened", Why: "is a day, as 2026-03-02"}
		}
	}
	if !d.reports.take(d.Now()) {
		return answer{}, errTooMany
	}
	kept, err := d.Service.ReportFraud(v.r.Context(), nobody, r)
	if err != nil {
		return answer{}, err
	}
	return answer{page: pageReported, reported: &reported{Receipt: string(kept.ID), Received: kept.Received, Kind: kept.Kind}}, nil
}

// nobody is who reports without signing in.
var nobody = lifecycle.Actor{ID: "holder door", Role: lifecycle.RoleHolder}
