package demo

import (
	"context"
	"errors"
	"fmt"

	"sceau/card"
	"sceau/hsm/emv"
	"sceau/issuance"
	"sceau/lifecycle"
	"sceau/party"
)

// hand is a card in its holder's hand, with the PIN that the letter told.
type hand struct {
	issuance.CardView

	holder issuance.HolderView
	pin    lifecycle.PIN
	chip   *card.Simulated
	path   string
}

// take opens a card's image and reads its PIN out of the PIN letter.
func (d *demonstration) take(ctx context.Context, c issuance.CardView, holders map[lifecycle.HolderID]issuance.HolderView) (*hand, error) {
	h := &hand{CardView: c, holder: holders[c.Holder], path: d.cardImage(c.ID)}
	var err error
	if h.pin, err = readPIN(ctx, d.pinLetter(c.PINLetter)); err != nil {
		return nil, err
	}
	h.chip, err = card.Open(h.path)
	return h, err
}

// code presses the CODE key and types the PIN.
func (h *hand) code(ctx context.Context, pin lifecycle.PIN) (string, error) {
	code, err := card.NewReader(h.chip).Code(ctx, pin, emv.Transaction{Mode: emv.Mode2})
	return code, errors.Join(err, h.chip.Save(h.path)) // its counters moved
}

func (d *demonstration) holders(ctx context.Context) (map[lifecycle.HolderID]issuance.HolderView, error) {
	all, err := d.house.Service.Holders(ctx)
	if err != nil {
		return nil, err
	}
	byID := make(map[lifecycle.HolderID]issuance.HolderView, len(all))
	for _, h := range all {
		byID[h.ID] = h
	}
	return byID, nil
}

// cards are all that this house made and sent: not those that were cancelled on
// their way, or come from the bank's card system.
func (d *demonstration) cards(ctx context.Context) ([]issuance.CardView, error) {
	var all []issuance.CardView
	var after lifecycle.CardID
	for {
		page, err := d.house.Service.Cards(ctx, after)
		if err != nil || len(page) == 0 {
			return all, err
		}
		for _, c := range page {
			if c.CardLetter != "" {
				all = append(all, c)
			}
		}
		after = page[len(page)-1].ID
	}
}

// notActivated is how many holders have not got round to it: the back office
// has something to look at.
const notActivated = 8

// activateCards collects what waits at branches and activates cards by their
// first code.
func (d *demonstration) activateCards(ctx context.Context) error {
	holders, err := d.holders(ctx)
	if err != nil {
		return err
	}
	cards, err := d.cards(ctx)
	if err != nil {
		return err
	}
	cards = cards[:len(cards)-notActivated]
	bar := d.screen.bar(len(cards), "first codes")
	defer func() { _ = bar.Finish() }()
	for _, c := range cards {
		h, err := d.take(ctx, c, holders)
		if err != nil {
			return err
		}
		if err := d.activate(ctx, h); err != nil {
			return fmt.Errorf("card %s: %w", c.ID, err)
		}
		_ = bar.Add(1)
	}
	cards, err = d.cards(ctx)
	active := 0
	for _, c := range cards {
		if c.State == lifecycle.CardActive {
			active++
		}
	}
	d.screen.check("a card is activated by the first right code of the simulated reader, PIN read from its letter",
		errors.Join(err, equal(active, wantCards-notActivated)))
	return nil
}

func (d *demonstration) activate(ctx context.Context, h *hand) error {
	if h.State == lifecycle.CardAtBranch {
		operator, err := d.staff(ctx, lifecycle.RoleOperator)
		if err != nil {
			return err
		}
		shown := issuance.Identity{Document: "identity_card", Number: "X" + h.holder.ClientID}
		if err := d.house.Service.Collect(ctx, operator, h.ID, shown); err != nil {
			return err
		}
	}
	code, err := h.code(ctx, h.pin)
	if err != nil {
		return err
	}
	var answer struct {
		State lifecycle.CardState `json:"state"`
	}
	if err := d.online.Post(ctx, "/v1/cards/"+string(h.ID)+"/activate", map[string]string{"code": code}, &answer); err != nil {
		return err
	}
	h.State = answer.State
	return nil
}

// verify asks the bank about a code, as online banking does.
func (d *demonstration) verify(ctx context.Context, h issuance.HolderView, code string) (string, error) {
	var answer struct {
		Result string `json:"result"`
	}
	err := d.online.Post(ctx, "/v1/cap/verify", map[string]string{
		"client_id": h.ClientID, "user_number": h.UserNumber, "code": code,
	}, &answer)
	return answer.Result, err
}

// activeCard is the nth active card, in its holder's hand.
func (d *demonstration) activeCard(ctx context.Context, n int) (*hand, error) {
	holders, err := d.holders(ctx)
	if err != nil {
		return nil, err
	}
	cards, err := d.cards(ctx)
	if err != nil {
		return nil, err
	}
	for _, c := range cards {
		if c.State != lifecycle.CardActive {
			continue
		}
		if n == 0 {
			return d.take(ctx, c, holders)
		}
		n--
	}
	return nil, fmt.Errorf("%w: no such active card", lifecycle.NotFound)
}

// useCard signs in, replays the code, blocks the PIN and has its counter reset.
func (d *demonstration) useCard(ctx context.Context) error {
	h, err := d.activeCard(ctx, 0)
	if err != nil {
		return err
	}
	code, err := h.code(ctx, h.pin)
	if err != nil {
		return err
	}
	result, err := d.verify(ctx, h.holder, code)
	d.screen.check("a right code signs its holder in", errors.Join(err, equal(result, "accepted")))
	result, err = d.verify(ctx, h.holder, code)
	d.screen.check("the same code again is refused", errors.Join(err, equal(result, "refused")))
	guess := string([]byte{code[0], code[1], code[2], code[3], code[4], code[5], code[6], '0' + (code[7]-'0'+1)%10})
	result, err = d.verify(ctx, h.holder, guess)
	d.screen.check("a wrong code is refused", errors.Join(err, equal(result, "refused")))
	if err := d.blockPIN(ctx, h); err != nil {
		return err
	}
	return d.resetPIN(ctx, h)
}

// blockPIN types three wrong PINs: the card takes no PIN any more, the right one
// neither.
func (d *demonstration) blockPIN(ctx context.Context, h *hand) error {
	wrong, err := lifecycle.NewPIN(otherPIN(h.pin))
	if err != nil {
		return err
	}
	for try := 1; try <= 3; try++ {
		_, err := h.code(ctx, wrong)
		var no *card.WrongPINError
		if !errors.As(err, &no) || no.TriesLeft != 3-try {
			return fmt.Errorf("wrong PIN number %d: the card answered: %w", try, err)
		}
	}
	_, err = h.code(ctx, h.pin)
	d.screen.check("three wrong PINs block the card, for the right one too", refused(err, lifecycle.Locked))
	manager, err := d.staff(ctx, lifecycle.RoleAccountManager)
	if err != nil {
		return err
	}
	return d.house.Service.BlockPIN(ctx, manager, h.ID)
}

// otherPIN is a PIN of the same length that is not this one.
func otherPIN(pin lifecycle.PIN) string {
	other := []byte(pin.Reveal())
	other[0] = '0' + (other[0]-'0'+1)%10
	return string(other)
}

// resetPIN has the try counter reset at the branch, under four eyes.
func (d *demonstration) resetPIN(ctx context.Context, h *hand) error {
	manager, err := d.staff(ctx, lifecycle.RoleAccountManager)
	if err != nil {
		return err
	}
	order, err := d.house.Service.Submit(ctx, manager, issuance.OrderRequest{Kind: lifecycle.OrderPINReset, TargetCard: h.ID, Identity: "passport 4T7K", BranchCode: d.bank.Branches[0].Code})
	if err != nil {
		return err
	}
	terminal := card.NewReader(h.chip)
	_, err = d.terminal.Script(ctx, order, terminal)
	d.screen.check("no counter is reset before a second person has approved", refused(err, lifecycle.Conflict))
	content, err := d.house.Service.ShowOrder(ctx, order)
	if err != nil {
		return err
	}
	if err := d.approve(ctx, []issuance.OrderContent{content}); err != nil {
		return err
	}
	if _, err := d.terminal.Script(ctx, order, terminal); err != nil {
		return err
	}
	code, err := h.code(ctx, h.pin)
	if err != nil {
		return err
	}
	result, err := d.verify(ctx, h.holder, code)
	d.screen.check("after the issuer script the right PIN works, and its code signs in", errors.Join(err, equal(result, "accepted")))
	return nil
}

// replaceCard reports a card lost, has it replaced to the branch with the
// tariff's fee, and uses the new one.
func (d *demonstration) replaceCard(ctx context.Context) error {
	lost, err := d.activeCard(ctx, 1)
	if err != nil {
		return err
	}
	lateCode, err := lost.code(ctx, lost.pin)
	if err != nil {
		return err
	}
	manager, err := d.staff(ctx, lifecycle.RoleAccountManager)
	if err != nil {
		return err
	}
	order, err := d.house.Service.Submit(ctx, manager, issuance.OrderRequest{
		Kind: lifecycle.OrderReplacementCard, TargetCard: lost.ID, Reason: lifecycle.CardLost,
		Delivery: lifecycle.DeliverBranch, BranchCode: d.bank.Branches[0].Code,
	})
	if err != nil {
		return err
	}
	if err := d.house.Service.SetLargePrint(ctx, manager, lost.Holder, true); err != nil {
		return err
	}
	result, err := d.verify(ctx, lost.holder, lateCode)
	d.screen.check("a lost card's codes are refused from the report on", errors.Join(err, equal(result, "refused")))
	content, err := d.house.Service.ShowOrder(ctx, order)
	if err != nil {
		return err
	}
	d.screen.note("replacement %s to branch %s: %d.%02d %s", order, d.bank.Branches[0].Code, content.FeeCents/100, content.FeeCents%100, content.Currency)
	d.screen.check("the replacement costs what the tariff says", equal(content.FeeCents, d.tariff("card", string(lifecycle.CardLost))))
	if err := d.approve(ctx, []issuance.OrderContent{content}); err != nil {
		return err
	}
	if _, err := d.bureauRounds(ctx, false); err != nil {
		return err
	}
	if _, err := d.postRound(ctx); err != nil {
		return err
	}
	return d.useReplacement(ctx, order)
}

func (d *demonstration) useReplacement(ctx context.Context, order lifecycle.OrderID) error {
	view, err := d.house.Service.Order(ctx, order)
	if err != nil {
		return err
	}
	holders, err := d.holders(ctx)
	if err != nil {
		return err
	}
	fresh, err := d.take(ctx, *view.Card, holders)
	if err != nil {
		return err
	}
	d.checkOwnLetters(ctx, fresh.CardView, party.Language(fresh.holder.Language))
	if err := d.activate(ctx, fresh); err != nil {
		return err
	}
	code, err := fresh.code(ctx, fresh.pin)
	if err != nil {
		return err
	}
	result, err := d.verify(ctx, fresh.holder, code)
	d.screen.check("the replacement, collected at the branch, signs in", errors.Join(err, equal(result, "accepted")))
	return nil
}

// tariff is a price of the bank's file.
func (d *demonstration) tariff(product, reason string) int64 {
	for _, t := range d.bank.Tariff {
		if t.Product == product && t.Reason == reason {
			return t.AmountCents
		}
	}
	return 0
}
