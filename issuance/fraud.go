package issuance

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"sceau/lifecycle"
	"sceau/party"
	"sceau/store"
	"sceau/store/db"
)

// FraudReport is a suspicious message, call, site or operation, as somebody told it.
// Its identifier is the receipt.
type FraudReport struct {
	ID         lifecycle.FraudReportID
	Kind       string // of [lifecycle.FraudKinds]
	State      lifecycle.FraudState
	ClientID   string // as the reporter says; neither is needed
	UserNumber string
	Holder     lifecycle.HolderID // "" for nobody whom the bank knows
	Operation  string             // the reporter's reference of it
	Happened   time.Time          // zero: not said
	Told       string
	Contact    string
	Language   party.Language
	MadeBy     string
	Received   time.Time
	HandledBy  string
	Outcome    string
	Updated    time.Time
}

const (
	maxTold    = 4000
	maxContact = 200
	maxReport  = 2 * 366 * 24 * time.Hour // how long ago something happened that is reported
)

// ReportFraud keeps a report. Card numbers and codes in it are masked first: nobody
// here needs them.
func (s *Service) ReportFraud(ctx context.Context, by lifecycle.Actor, r FraudReport) (FraudReport, error) {
	r.Told, r.Contact = maskSecrets(r.Told), maskSecrets(r.Contact)
	if err := r.check(s.now()); err != nil {
		return FraudReport{}, err
	}
	r.ID, r.State, r.MadeBy, r.Received = lifecycle.FraudReportID(s.newID(lifecycle.PrefixFraudReport)), lifecycle.FraudReceived, by.ID, s.now()
	r.Updated = r.Received
	err := s.store.InTx(ctx, func(tx store.Tx) error {
		p := db.InsertFraudReportParams{
			ID: r.ID, Kind: r.Kind, State: r.State, ClientID: r.ClientID, UserNumber: r.UserNumber, Operation: r.Operation, Told: r.Told,
			Contact: r.Contact, Language: string(r.Language), MadeBy: by.ID, ReceivedAt: r.Received,
		}
		if !r.Happened.IsZero() {
			p.HappenedAt = &r.Happened
		}
		holder, err := tx.HolderByUser(ctx, r.ClientID, r.UserNumber)
		switch {
		case err == nil:
			p.HolderID, r.Holder = &holder.ID, holder.ID
		case !isNotFound(err):
			return err
		}
		if err := tx.InsertFraudReport(ctx, p); err != nil {
			return err
		}
		store.Made(ctx, string(r.ID))
		return s.born(ctx, tx, lifecycle.FraudReports.Thing, string(r.ID), string(r.State), by, map[string]string{"kind": r.Kind})
	})
	if err != nil {
		return FraudReport{}, fmt.Errorf("report fraud: %w", err)
	}
	return r, nil
}

func (r FraudReport) check(now time.Time) error {
	var errs lifecycle.FieldErrors
	if !slices.Contains(lifecycle.FraudKinds(), r.Kind) {
		errs.Add("kind", fmt.Sprintf("use one of %v", lifecycle.FraudKinds()))
	}
	if r.ClientID != "" && !clientIDForm.MatchString(r.ClientID) {
		errs.Add("client_id", "has 8 digits, or is left out")
	}
	if r.UserNumber != "" && !userNumberForm.MatchString(r.UserNumber) {
		errs.Add("user_number", "has 4 digits, or is left out")
	}
	prose(&errs, "told", r.Told, 1, maxTold)
	prose(&errs, "contact", r.Contact, 0, maxContact)
	prose(&errs, "operation", r.Operation, 0, 64) //nolint:mnd // as signing bounds a reference
	if !r.Happened.IsZero() && (r.Happened.After(now.Add(time.Minute)) || r.Happened.Before(now.Add(-maxReport))) {
		errs.Add("happened", "lies in the future, or more than two years back")
	}
	if _, err := party.ParseLanguage(string(r.Language)); err != nil {
		errs.Add("language", "use fr, nl, de or en")
	}
	return errs.Err()
}

var (
	clientIDForm   = regexp.MustCompile(`^[0-9]{8}$`)
	userNumberForm = regexp.MustCompile(`^[0-9]{4}$`)
)

// prose bounds what somebody wrote, lines and all.
func prose(errs *lifecycle.FieldErrors, field, text string, least, most int) {
	odd := func(r rune) bool { return !unicode.IsPrint(r) && r != '\n' && r != '\r' && r != '\t' }
	n := utf8.RuneCountInString(strings.TrimSpace(text))
	if !utf8.ValidString(text) || strings.ContainsFunc(text, odd) || n < least || n > most {
		errs.Add(field, fmt.Sprintf("has %d to %d characters, and none that cannot be printed", least, most))
	}
}

var (
	longNumber = regexp.MustCompile(`[0-9](?:[ .-]?[0-9]){12,18}`)
	saidCode   = regexp.MustCompile(`(?i)(code|pin|passe|wachtwoord|kennwort|passwort|password|geheim\w*)([^0-9\n]{0,20})([0-9](?:[ .-]?[0-9]){3,7})`)
)

// maskSecrets hides what people write although nobody asks them: card numbers but
// their last four digits, and the digits behind a word like code.
func maskSecrets(text string) string {
	digit := func(r rune) bool { return r >= '0' && r <= '9' }
	hide := func(s string, keep int) string {
		total := 0
		for _, r := range s {
			if digit(r) {
				total++
			}
		}
		return strings.Map(func(r rune) rune {
			if !digit(r) {
				return r
			}
			total--
			if total < keep {
				return r
			}
			return '•'
		}, s)
	}
	text = longNumber.ReplaceAllStringFunc(text, func(s string) string {
		plain := strings.Map(func(r rune) rune {
			if digit(r) {
				return r
			}
			return -1
		}, s)
		if lifecycle.LuhnDigit(plain[:len(plain)-1]) != plain[len(plain)-1] {
			return s
		}
		return hide(s, 4)
	})
	return saidCode.ReplaceAllStringFunc(text, func(s string) string {
		m := saidCode.FindStringSubmatch(s)
		return m[1] + m[2] + hide(m[3], 0)
	})
}

func fraudOf(r db.FraudReport) FraudReport {
	f := FraudReport{
		ID: r.ID, Kind: r.Kind, State: r.State, ClientID: r.ClientID, UserNumber: r.UserNumber, Holder: deref(r.HolderID), Operation: r.Operation,
		Told: r.Told, Contact: r.Contact, Language: party.Language(r.Language), MadeBy: r.MadeBy, Received: r.ReceivedAt.UTC(),
		HandledBy: r.HandledBy, Outcome: r.Outcome, Updated: r.UpdatedAt.UTC(),
	}
	if r.HappenedAt != nil {
		f.Happened = r.HappenedAt.UTC()
	}
	return f
}

// FraudReport reads a report.
func (s *Service) FraudReport(ctx context.Context, id lifecycle.FraudReportID) (FraudReport, error) {
	if err := lifecycle.CheckID(lifecycle.PrefixFraudReport, string(id)); err != nil {
		return FraudReport{}, err
	}
	row, err := s.store.FraudReport(ctx, id)
	if err != nil {
		return FraudReport{}, fmt.Errorf("fraud report %s: %w", id, err)
	}
	return fraudOf(row), nil
}

// FraudReports pages through the reports that wait, or all.
func (s *Service) FraudReports(ctx context.Context, all bool, after lifecycle.FraudReportID) ([]FraudReport, error) {
	rows, err := s.store.FraudReports(ctx, all, string(after), pageSize)
	if err != nil {
		return nil, fmt.Errorf("fraud reports: %w", err)
	}
	list := make([]FraudReport, len(rows))
	for i, r := range rows {
		list[i] = fraudOf(r)
	}
	return list, nil
}

// ReviewFraud takes a report on.
func (s *Service) ReviewFraud(ctx context.Context, by lifecycle.Actor, id lifecycle.FraudReportID) error {
	return s.moveFraud(ctx, by, id, lifecycle.Review, "")
}

// CloseFraud says what a report was.
func (s *Service) CloseFraud(ctx context.Context, by lifecycle.Actor, id lifecycle.FraudReportID, confirmed bool, outcome string) error {
	if err := checkNote("outcome", outcome); err != nil {
		return err
	}
	on := lifecycle.Dismiss
	if confirmed {
		on = lifecycle.Confirm
	}
	return s.moveFraud(ctx, by, id, on, outcome)
}

func (s *Service) moveFraud(ctx context.Context, by lifecycle.Actor, id lifecycle.FraudReportID, on lifecycle.Event, outcome string) error {
	if err := lifecycle.CheckID(lifecycle.PrefixFraudReport, string(id)); err != nil {
		return err
	}
	err := s.store.InTx(ctx, func(tx store.Tx) error {
		row, err := tx.LockFraudReport(ctx, id)
		if err != nil {
			return err
		}
		_, err = apply(ctx, s, tx, lifecycle.FraudReports, row.State, change{id: string(id), on: on, by: by},
			func(to lifecycle.FraudState) (int64, error) {
				return tx.SetFraudState(ctx, db.SetFraudStateParams{
					ToState: to, HandledBy: by.ID, Outcome: outcome, At: s.now(), ID: id, FromState: row.State,
				})
			}, noJob)
		return err
	})
	if err != nil {
		return fmt.Errorf("%s fraud report %s: %w", on, id, err)
	}
	return nil
}
