package issuance

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"time"

	"sceau/lifecycle"
	"sceau/store"
	"sceau/store/db"
)

// BuiltInTemplate is the version of a template that is no row: the letters' own.
const BuiltInTemplate = 0

// LetterTemplate is a version of what one kind of letter says.
type LetterTemplate struct {
	Kind               lifecycle.PrintKind
	Version            int
	State              lifecycle.TemplateState
	Content            []byte // its canonical form; nil in a list, and of the built-in one
	SHA256             [32]byte
	ProposedBy         string
	ProposedAt         time.Time
	DecidedBy, Refusal string
}

// maxTemplateContent is the schema's bound.
const maxTemplateContent = 256 << 10

// ProposeTemplate records a version that an approver looks at. The content is
// what the letter room made of the author's file, after it tried it.
func (s *Service) ProposeTemplate(ctx context.Context, by lifecycle.Actor, kind lifecycle.PrintKind, content []byte) (int, error) {
	if !slices.Contains(lifecycle.TemplateAuthors(), by.Role) {
		return 0, fmt.Errorf("%w: a %s proposes no letter template", lifecycle.Forbidden, by.Role)
	}
	if kind != lifecycle.PrintCard && kind != lifecycle.PrintPIN {
		return 0, &lifecycle.FieldError{Field: "kind", Why: "use card or pin"}
	}
	if len(content) == 0 || len(content) > maxTemplateContent {
		return 0, &lifecycle.FieldError{Field: "template", Why: fmt.Sprintf("has 1 to %d KiB", maxTemplateContent>>10)}
	}
	version, sum := int32(0), sha256.Sum256(content)
	err := s.store.InTx(ctx, func(tx store.Tx) error {
		var err error
		version, err = tx.InsertTemplate(ctx, db.InsertTemplateParams{
			Kind: kind, State: lifecycle.TemplateProposed, Content: content, SHA256: sum[:], ProposedBy: by.ID, ProposedAt: s.now(),
		})
		if err != nil {
			return err
		}
		return s.born(ctx, tx, lifecycle.Templates.Thing, templateID(kind, version), string(lifecycle.TemplateProposed), by,
			map[string]string{"sha256": hex.EncodeToString(sum[:])})
	})
	if err != nil {
		return 0, fmt.Errorf("propose a %s letter template: %w", kind, err)
	}
	return int(version), nil
}

// templateID is a version as the audit trail names it.
func templateID(kind lifecycle.PrintKind, version int32) string {
	return fmt.Sprintf("%s-%d", kind, version)
}

// ApproveTemplate makes a version the one that letters are made with from then
// on, if its hash is that of what the approver saw. The version before retires.
func (s *Service) ApproveTemplate(ctx context.Context, by lifecycle.Actor, kind lifecycle.PrintKind, version int, seen [32]byte) error {
	return s.decideTemplate(ctx, by, kind, version, lifecycle.Approve, "", func(tx store.Tx, t db.LetterTemplate) error {
		if [32]byte(t.SHA256) != seen {
			return fmt.Errorf("%w: that is not the hash of version %d: preview it, and approve what you see", lifecycle.Conflict, version)
		}
		live, err := tx.LockLiveTemplate(ctx, kind)
		if isNotFound(err) {
			return nil
		}
		if err != nil {
			return err
		}
		return s.moveTemplate(ctx, tx, live, lifecycle.Retire, by, nil, func(to lifecycle.TemplateState) (int64, error) {
			return tx.SetTemplateState(ctx, db.SetTemplateStateParams{ToState: to, Kind: kind, Version: live.Version, FromState: live.State})
		})
	})
}

// RefuseTemplate turns a version down, with the reason.
func (s *Service) RefuseTemplate(ctx context.Context, by lifecycle.Actor, kind lifecycle.PrintKind, version int, why string) error {
	if err := checkNote("why", why); err != nil {
		return err
	}
	return s.decideTemplate(ctx, by, kind, version, lifecycle.Refuse, why, func(store.Tx, db.LetterTemplate) error { return nil })
}

func (s *Service) decideTemplate(ctx context.Context, by lifecycle.Actor, kind lifecycle.PrintKind, version int, on lifecycle.Event, why string,
	before func(tx store.Tx, t db.LetterTemplate) error,
) error {
	if err := checkVersion(version); err != nil {
		return err
	}
	err := s.store.InTx(ctx, func(tx store.Tx) error {
		t, err := tx.LockTemplate(ctx, kind, int32(version)) //nolint:gosec // bounded by checkVersion
		if err != nil {
			return err
		}
		// Looked up before anything is said of its content.
		if _, err := lifecycle.Templates.Next(t.State, on, by.Role); err != nil {
			return err
		}
		if err := before(tx, t); err != nil {
			return err
		}
		detail := map[string]string{"sha256": hex.EncodeToString(t.SHA256)}
		if why != "" {
			detail["why"] = why
		}
		return s.moveTemplate(ctx, tx, t, on, by, detail, func(to lifecycle.TemplateState) (int64, error) {
			return tx.DecideTemplate(ctx, db.DecideTemplateParams{
				ToState: to, DecidedBy: &by.ID, DecidedAt: new(s.now()), Reason: why, Kind: kind, Version: t.Version, FromState: t.State,
			})
		})
	})
	if err != nil {
		return fmt.Errorf("%s version %d of the %s letter template: %w", on, version, kind, err)
	}
	return nil
}

func (s *Service) moveTemplate(ctx context.Context, tx store.Tx, t db.LetterTemplate, on lifecycle.Event, by lifecycle.Actor,
	detail map[string]string, set func(lifecycle.TemplateState) (int64, error),
) error {
	_, err := apply(ctx, s, tx, lifecycle.Templates, t.State,
		change{id: templateID(t.Kind, t.Version), on: on, by: by, requester: t.ProposedBy, detail: detail}, set, noJob)
	return err
}

// Template reads a version, whatever its state. Of the built-in one it answers
// the number only.
func (s *Service) Template(ctx context.Context, kind lifecycle.PrintKind, version int) (LetterTemplate, error) {
	if err := checkVersion(version); err != nil {
		return LetterTemplate{}, err
	}
	return template(ctx, s.store.Queries, kind, int32(version)) //nolint:gosec // bounded by checkVersion
}

func checkVersion(version int) error {
	const most = 1_000_000
	if version < 0 || version > most {
		return &lifecycle.FieldError{Field: "version", Why: "is no version's number: see sceau letters templates"}
	}
	return nil
}

func template(ctx context.Context, q *db.Queries, kind lifecycle.PrintKind, version int32) (LetterTemplate, error) {
	if version == BuiltInTemplate {
		return LetterTemplate{Kind: kind, State: lifecycle.TemplateLive}, nil
	}
	t, err := q.Template(ctx, kind, version)
	if err != nil {
		return LetterTemplate{}, fmt.Errorf("version %d of the %s letter template: %w", version, kind, err)
	}
	return LetterTemplate{
		Kind: kind, Version: int(t.Version), State: t.State, Content: t.Content, SHA256: [32]byte(t.SHA256), ProposedBy: t.ProposedBy,
		ProposedAt: t.ProposedAt, DecidedBy: deref(t.DecidedBy), Refusal: t.Reason,
	}, nil
}

// LiveTemplate is the version that letters are made with now.
func (s *Service) LiveTemplate(ctx context.Context, kind lifecycle.PrintKind) (LetterTemplate, error) {
	version, err := s.store.LiveTemplate(ctx, kind)
	if err != nil {
		return LetterTemplate{}, fmt.Errorf("live %s letter template: %w", kind, err)
	}
	return template(ctx, s.store.Queries, kind, version)
}

// Templates lists the versions of both kinds, newest first, without content.
func (s *Service) Templates(ctx context.Context) ([]LetterTemplate, error) {
	rows, err := s.store.Templates(ctx, pageSize)
	if err != nil {
		return nil, fmt.Errorf("letter templates: %w", err)
	}
	list := make([]LetterTemplate, len(rows))
	for i, r := range rows {
		list[i] = LetterTemplate{
			Kind: r.Kind, Version: int(r.Version), State: r.State, SHA256: [32]byte(r.SHA256), ProposedBy: r.ProposedBy,
			ProposedAt: r.ProposedAt, DecidedBy: deref(r.DecidedBy), Refusal: r.Reason,
		}
	}
	return list, nil
}

// templateOfRunTx is the template of a run: the version that was live when it
// was begun first, whatever has become of it since, so that a run that another
// worker goes on with is of one piece. A letter that is made again is in another
// run, with what is live by then.
func (s *Service) templateOfRunTx(ctx context.Context, tx store.Tx, r *db.PrintRun) (LetterTemplate, error) {
	if r.Template == nil {
		live, err := tx.LiveTemplate(ctx, r.Kind)
		if err != nil {
			return LetterTemplate{}, fmt.Errorf("print run %s: %w", r.ID, err)
		}
		if err := tx.SetRunTemplate(ctx, live, r.ID); err != nil {
			return LetterTemplate{}, fmt.Errorf("print run %s: %w", r.ID, err)
		}
		r.Template = &live
	}
	return template(ctx, tx.Queries, r.Kind, *r.Template)
}

// SetLargePrint records whether a holder wants letters in large print. It is of
// the letters that are not rendered yet.
func (s *Service) SetLargePrint(ctx context.Context, by lifecycle.Actor, id lifecycle.HolderID, large bool) error {
	if err := mayOrder(by); err != nil {
		return err
	}
	return s.store.InTx(ctx, func(tx store.Tx) error {
		h, err := tx.LockHolder(ctx, id)
		if err != nil {
			return fmt.Errorf("holder %s: %w", id, err)
		}
		return s.setLargePrintTx(ctx, tx, by, h, large)
	})
}

func (s *Service) setLargePrintTx(ctx context.Context, tx store.Tx, by lifecycle.Actor, h db.Holder, large bool) error {
	if h.LargePrint == large {
		return nil
	}
	if err := tx.SetLargePrint(ctx, large, s.now(), h.ID); err != nil {
		return fmt.Errorf("holder %s: %w", h.ID, err)
	}
	return s.audit(ctx, tx, "holder", change{
		id: string(h.ID), on: lifecycle.Edit, by: by, detail: map[string]string{"large_print": fmt.Sprint(large)},
	}, "enrolled", "enrolled")
}
