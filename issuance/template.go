package issuance

import (
	"context"
	"fmt"

	"sceau/lifecycle"
	"sceau/store"
	"sceau/store/db"
)

// maxTemplateContent is the schema's bound.
const maxTemplateContent = 256 << 10

func letterTemplates() editionTable {
	return editionTable{lifecycle.Templates, lifecycle.TemplateAuthors()}
}

// ProposeTemplate records a version of what a kind of letter says, that an approver
// looks at. The content is what the letter room made of the author's file, after it
// tried it.
func (s *Service) ProposeTemplate(ctx context.Context, by lifecycle.Actor, kind lifecycle.PrintKind, content []byte) (int, error) {
	if err := letterTemplates().mayPropose(by); err != nil {
		return 0, err
	}
	if kind != lifecycle.PrintCard && kind != lifecycle.PrintPIN {
		return 0, &lifecycle.FieldError{Field: "kind", Why: "use card or pin"}
	}
	if len(content) == 0 || len(content) > maxTemplateContent {
		return 0, &lifecycle.FieldError{Field: "template", Why: fmt.Sprintf("has 1 to %d KiB", maxTemplateContent>>10)}
	}
	return s.proposeEdition(ctx, by, letterTemplates(), string(kind), content)
}

// ApproveTemplate makes a version the one that letters are made with from then on,
// if its hash is that of what the approver saw. The version before retires.
func (s *Service) ApproveTemplate(ctx context.Context, by lifecycle.Actor, kind lifecycle.PrintKind, version int, seen [32]byte) error {
	return s.approveEdition(ctx, by, letterTemplates(), string(kind), version, seen, func(store.Tx, db.Edition) error { return nil })
}

// RefuseTemplate turns a version down, with the reason.
func (s *Service) RefuseTemplate(ctx context.Context, by lifecycle.Actor, kind lifecycle.PrintKind, version int, why string) error {
	return s.refuseEdition(ctx, by, letterTemplates(), string(kind), version, why)
}

// Template reads a version, whatever its state. Of the built-in one it answers
// the number only.
func (s *Service) Template(ctx context.Context, kind lifecycle.PrintKind, version int) (Edition, error) {
	if err := checkVersion(version); err != nil {
		return Edition{}, err
	}
	return edition(ctx, s.store.Queries, letterTemplates(), string(kind), int32(version)) //nolint:gosec // bounded by checkVersion
}

// LiveTemplate is the version that letters are made with now.
func (s *Service) LiveTemplate(ctx context.Context, kind lifecycle.PrintKind) (Edition, error) {
	version, err := s.store.LiveEdition(ctx, lifecycle.Templates.Thing, string(kind))
	if err != nil {
		return Edition{}, fmt.Errorf("live %s letter template: %w", kind, err)
	}
	return edition(ctx, s.store.Queries, letterTemplates(), string(kind), version)
}

// Templates lists the versions of both kinds, newest first, without content.
func (s *Service) Templates(ctx context.Context) ([]Edition, error) {
	return s.editions(ctx, letterTemplates())
}

// templateOfRunTx is the template of a run: the version that was live when it
// was begun first, whatever has become of it since, so that a run that another
// worker goes on with is of one piece. A letter that is made again is in another
// run, with what is live by then.
func (s *Service) templateOfRunTx(ctx context.Context, tx store.Tx, r *db.PrintRun) (Edition, error) {
	if r.Template == nil {
		live, err := tx.LiveEdition(ctx, lifecycle.Templates.Thing, string(r.Kind))
		if err != nil {
			return Edition{}, fmt.Errorf("print run %s: %w", r.ID, err)
		}
		if err := tx.SetRunTemplate(ctx, live, r.ID); err != nil {
			return Edition{}, fmt.Errorf("print run %s: %w", r.ID, err)
		}
		r.Template = &live
	}
	return edition(ctx, tx.Queries, letterTemplates(), string(r.Kind), *r.Template)
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
