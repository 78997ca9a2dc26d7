package issuance

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"iter"

	"sceau/lifecycle"
	"sceau/store"
)

// Bounds of a campaign's list of cards.
const (
	maxListBytes = 8 << 20 // some 440 000 cards
	maxWrong     = 1000    // wrong lines that are told one by one
)

// readCardList reads a list of card identifiers, a line each.
func readCardList(r io.Reader) ([]byte, error) {
	text, err := io.ReadAll(io.LimitReader(r, maxListBytes+1))
	if err != nil {
		return nil, fmt.Errorf("read the list of cards: %w", err)
	}
	if len(text) > maxListBytes {
		return nil, &lifecycle.FieldError{Field: "file", Why: "a list of cards has at most 8 MiB: make several campaigns"}
	}
	return bytes.TrimPrefix(text, []byte("\xEF\xBB\xBF")), nil
}

// listedCard is a line of a list: a card, or why it names none.
type listedCard struct {
	line int
	card lifecycle.CardID
	why  string
}

// listedCards reads a list line by line; empty lines are passed over.
func listedCards(list []byte) iter.Seq[listedCard] {
	return func(yield func(listedCard) bool) {
		line := 0
		for text := range bytes.Lines(list) {
			line++
			text = bytes.TrimSpace(text)
			if len(text) == 0 {
				continue
			}
			listed := listedCard{line: line, card: lifecycle.CardID(text)}
			if err := lifecycle.CheckID(lifecycle.PrefixCard, string(text)); err != nil {
				listed.card, listed.why = "", "is no card's identifier, as C-…16 characters"
			}
			if !yield(listed) {
				return
			}
		}
	}
}

// takeListTx puts the cards of a list into a campaign, page by page.
func (s *Service) takeListTx(ctx context.Context, tx store.Tx, p *Proposed, list []byte) error {
	page := make([]listedCard, 0, campaignPage)
	for listed := range listedCards(list) {
		if page = append(page, listed); len(page) < campaignPage {
			continue
		}
		if err := s.takePageTx(ctx, tx, p, page); err != nil {
			return err
		}
		page = page[:0]
	}
	return s.takePageTx(ctx, tx, p, page)
}

func (s *Service) takePageTx(ctx context.Context, tx store.Tx, p *Proposed, page []listedCard) error {
	rows, err := tx.CardStates(ctx, texts(page, func(l listedCard) lifecycle.CardID { return l.card }))
	if err != nil {
		return fmt.Errorf("listed cards: %w", err)
	}
	states := make(map[lifecycle.CardID]lifecycle.CardState, len(rows))
	for _, r := range rows {
		states[r.ID] = r.State
	}
	var good []string
	for _, l := range page {
		if state, known := states[l.card]; l.why == "" && known && inUse(state) {
			good = append(good, string(l.card))
		}
	}
	taken, err := tx.InsertCampaignCards(ctx, p.ID, good)
	if err != nil {
		return fmt.Errorf("campaign %s: %w", p.ID, err)
	}
	fresh := make(map[lifecycle.CardID]bool, len(taken))
	for _, id := range taken {
		fresh[id] = true
	}
	for _, l := range page {
		state, known := states[l.card]
		switch {
		case l.why != "":
		case !known:
			l.why = "there is no such card"
		case !inUse(state):
			l.why = fmt.Sprintf("it is %s: it cannot be renewed", state)
		case !fresh[l.card]:
			l.why = "it stands in the list before"
		default:
			p.Size++
			delete(fresh, l.card) // once more in this page is twice
			continue
		}
		if p.Refused++; len(p.Wrong) < maxWrong {
			p.Wrong = append(p.Wrong, LineError{Line: l.line, Field: "card", Why: l.why})
		}
	}
	return nil
}

// inUse tells whether a card can be renewed.
func inUse(state lifecycle.CardState) bool {
	return state == lifecycle.CardActive || state == lifecycle.CardSuspended || state == lifecycle.CardPINLocked
}
