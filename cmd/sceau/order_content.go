package main

import (
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"sceau/cmd/sceau/internal/house"
	"sceau/issuance"
	"sceau/lifecycle"
)

type orderSubmitCmd struct {
	databaseFlags
	vaultFlags

	Kind       lifecycle.OrderKind  `arg:"" help:"new_card, replacement_card, renewal, pin_reissue, pin_counter_reset, pin_change or new_certificate; a bank card is registered by sceau import." enum:"new_card,replacement_card,renewal,pin_reissue,pin_counter_reset,pin_change,new_certificate"`
	ClientID   string               `name:"client-id" help:"With --user: the holder of what is new." placeholder:"ID"`
	User       string               `help:"The holder's user number." placeholder:"NUMBER"`
	Card       lifecycle.CardID     `help:"The card that is replaced, renewed, or given a script." placeholder:"C-…"`
	Reason     lifecycle.CardReason `help:"Of a replacement: lost, stolen, fraud, damaged, pin_blocked, name_change or not_received. The first three, and not_received, stop the card at once." placeholder:"REASON"`
	Product    string               `help:"The card's product; left out, the bank's usual one." placeholder:"CODE"`
	Delivery   lifecycle.Delivery   `help:"home or branch." enum:"home,branch" default:"home"`
	Branch     string               `help:"Code of the branch of delivery, or where a counter reset or PIN change is done: else the card's or the company's." placeholder:"CODE"`
	InHouse    bool                 `help:"Made at that branch's terminal."`
	WithReader bool                 `help:"With a CAP reader."`
	Waiver     string               `help:"Why the fee is waived; the approver approves that too." placeholder:"WHY"`
	Identity   string               `help:"Of a counter reset or a PIN change: the document seen, and the last four characters of its number, as 'passport 12AB'." placeholder:"DOCUMENT"`
	Profile    string               `help:"Of a certificate: its profile, as sceau certificate-profiles list names it; left out, nominative-authentication." placeholder:"NAME"`
	Service    string               `help:"Of a system's certificate (profile service-client): the system's name; the holder answers for it." placeholder:"NAME"`
	Reference  string               `help:"A reference of your own, unique." placeholder:"TEXT"`
	As         string               `help:"Login of who orders." required:""`
}

// Run submits, and shows what it costs and what speaks against it.
func (c orderSubmitCmd) Run(w *world) error {
	h, release, err := c.open(w)
	if err != nil {
		return err
	}
	defer release()
	by, err := staff(w, h, c.As, orderers()...)
	if err != nil {
		return err
	}
	r, err := c.request(w, h)
	if err != nil {
		return err
	}
	id, err := h.Service.Submit(w.ctx, by, r)
	if err != nil {
		return err
	}
	content, err := h.Service.ShowOrder(w.ctx, id)
	if err != nil {
		return err
	}
	if err := say(w, "%s waits for an approver: %s", id, fee(content)); err != nil {
		return err
	}
	if len(content.Flags) > 0 {
		return say(w, "it will be looked at twice: %s", flagsOf(content))
	}
	return nil
}

// open opens the safe where a card is born with its number.
func (c orderSubmitCmd) open(w *world) (*house.House, func(), error) {
	if !c.Kind.MakesCard() {
		h, err := openHouse(w, c.databaseFlags, issuance.DefaultPolicy(), false)
		if err != nil {
			return nil, nil, err
		}
		return h, h.Close, nil
	}
	vault, err := c.vaultFlags.open(w.ctx)
	if err != nil {
		return nil, nil, err
	}
	h, err := openHouseWith(w, c.databaseFlags, vault, issuance.DefaultPolicy(), false)
	if err != nil {
		vault.Close()
		return nil, nil, err
	}
	return h, func() { h.Close(); vault.Close() }, nil
}

func (c orderSubmitCmd) request(w *world, h *house.House) (issuance.OrderRequest, error) {
	r := issuance.OrderRequest{
		Kind: c.Kind, Product: c.Product, TargetCard: c.Card, Reason: c.Reason, BranchCode: c.Branch, InHouse: c.InHouse,
		Identity: c.Identity, WithReader: c.WithReader, Waiver: c.Waiver, Reference: c.Reference,
		Profile: c.Profile, Service: c.Service,
	}
	if c.Kind.MakesCard() {
		r.Delivery = c.Delivery
	}
	if c.Kind != lifecycle.OrderNewCard && c.Kind != lifecycle.OrderNewCertificate {
		if c.Card == "" {
			return r, &lifecycle.FieldError{Field: "card", Why: fmt.Sprintf("a %s is about a card: give --card", c.Kind)}
		}
		return r, nil
	}
	if c.ClientID == "" || c.User == "" {
		return r, &lifecycle.FieldError{Field: "client_id", Why: fmt.Sprintf("a %s is for a holder: give --client-id and --user; one who is new comes by sceau import", c.Kind)}
	}
	var err error
	r.Holder, err = h.Service.HolderByUser(w.ctx, c.ClientID, c.User)
	return r, err
}

// fee says what is charged.
func fee(c issuance.OrderContent) string {
	cents := func(n int64) string { return fmt.Sprintf("%d.%02d %s", n/100, n%100, c.Currency) }
	text := "fee " + cents(c.FeeCents)
	if c.WithReader {
		text += ", reader " + cents(c.ReaderFeeCents)
	}
	if c.Waiver != "" {
		text += ", waived: " + c.Waiver
	}
	return text
}

func flagsOf(c issuance.OrderContent) string {
	all := make([]string, len(c.Flags))
	for i, f := range c.Flags {
		all[i] = string(f)
	}
	return strings.Join(all, ", ")
}

type orderShowCmd struct{ oneOrder }

// Run shows it.
func (c orderShowCmd) Run(w *world) error {
	return c.do(w, lifecycle.StaffRoles(), func(h *house.House, _ lifecycle.Actor) error {
		o, err := h.Service.Order(w.ctx, c.Order)
		if err != nil {
			return err
		}
		branch := ""
		if o.Branch != "" {
			if branch, err = h.Service.BranchCode(w.ctx, o.Branch); err != nil {
				return err
			}
		}
		table := tabwriter.NewWriter(w.out, 0, 0, 2, ' ', 0)
		for _, row := range orderRows(o, branch) {
			if row[1] != "" {
				_, _ = fmt.Fprintf(table, "%s\t%s\n", row[0], row[1])
			}
		}
		return table.Flush()
	})
}

// orderRows are everything that an approval covers, where the order stands, and
// the hash to approve by.
func orderRows(o issuance.OrderView, branch string) [][2]string {
	yes := func(b bool) string {
		if b {
			return "yes"
		}
		return ""
	}
	rows := [][2]string{
		{"order", string(o.ID)},
		{"kind", string(o.Kind)},
		{"state", string(o.State)},
		{"failure", o.Failure},
		{"revision", fmt.Sprint(o.Revision)},
		{"requested by", o.RequestedBy},
		{"at", o.Created.UTC().Format(time.RFC3339)},
		{"reference", o.Reference},
		{"company", o.ClientID + " " + o.Company},
		{"holder", o.UserNumber + " " + o.GivenName + " " + o.Surname},
		{"language", o.Language},
		{"e-mail", o.Email},
		{"address", strings.Join(filled(o.Address[:]), ", ")},
		{"product", o.Product},
		{"reason", o.Reason},
		{"about card", string(o.TargetCard)},
		{"registers", o.Registers},
		{"profile", profileRow(o.OrderContent)},
		{"system", o.Service},
		{"identity", o.Identity},
		{"dossier", dossierRow(o.Dossier)},
		{"delivery", strings.TrimSpace(string(o.Delivery) + " " + branch)},
		{"made at the branch", yes(o.InHouse)},
		{"with reader", yes(o.WithReader)},
		{"charged", fee(o.OrderContent)},
		{"FLAGS", flagsOf(o.OrderContent)},
	}
	if o.Card != nil {
		rows = append(rows, [2]string{"card", fmt.Sprintf("%s …%s %s", o.Card.ID, o.Card.Last4, o.Card.State)})
	}
	if o.Certificate != nil {
		rows = append(rows, [2]string{"certificate", fmt.Sprintf("%s %s", o.Certificate.ID, o.Certificate.State)})
	}
	if o.Dossier != nil {
		rows = append(rows, missingRows(*o.Dossier)...)
	}
	return append(rows, [2]string{"hash", fmt.Sprintf("%x", o.Hash())})
}

// dossierRow is the evidence that a certificate is approved on.
func dossierRow(d *issuance.DossierContent) string {
	if d == nil || d.ID == "" {
		return ""
	}
	text := fmt.Sprintf("%s, %s; seen %s; mandate %s; sha256 %s", d.ID, d.Document, d.Seen, d.Mandate, d.SHA256)
	if d.ReKey {
		text += "; first re-key"
	}
	return text
}

// profileRow names the version of a certificate's profile.
func profileRow(c issuance.OrderContent) string {
	if c.Profile == "" {
		return ""
	}
	return fmt.Sprintf("%s, version %d, sha256 %s", c.Profile, c.ProfileVersion, c.ProfileSHA256)
}

func filled(lines []string) []string {
	var all []string
	for _, l := range lines {
		if l != "" {
			all = append(all, l)
		}
	}
	return all
}

type orderEditCmd struct {
	oneOrder

	Revision   int32                `help:"The revision that was looked at, as sceau order show gives it." required:""`
	Delivery   lifecycle.Delivery   `help:"home or branch." placeholder:"WHERE"`
	Branch     string               `help:"Code of the branch of delivery." placeholder:"CODE"`
	InHouse    string               `help:"yes or no: made at that branch's terminal." enum:"yes,no," default:"" placeholder:"YES|NO"`
	Reason     lifecycle.CardReason `help:"Of a replacement." placeholder:"REASON"`
	WithReader string               `help:"yes or no." enum:"yes,no," default:"" placeholder:"YES|NO"`
	Waiver     *string              `help:"Why the fee is waived; '' to charge it after all." placeholder:"WHY"`
}

// Run edits: what no flag names stays as it is.
func (c orderEditCmd) Run(w *world) error {
	return c.do(w, orderers(), func(h *house.House, by lifecycle.Actor) error {
		o, err := h.Service.Order(w.ctx, c.Order)
		if err != nil {
			return err
		}
		e := issuance.OrderEdit{
			Revision: c.Revision, Delivery: o.Delivery, BranchCode: c.Branch, InHouse: o.InHouse, Reason: lifecycle.CardReason(o.Reason),
			WithReader: o.WithReader, Waiver: o.Waiver,
		}
		if c.Delivery != "" {
			e.Delivery = c.Delivery
		}
		if e.Delivery == lifecycle.DeliverBranch && e.BranchCode == "" && o.Branch != "" {
			if e.BranchCode, err = h.Service.BranchCode(w.ctx, o.Branch); err != nil {
				return err
			}
		}
		if e.Delivery == lifecycle.DeliverHome {
			e.InHouse = false
		}
		if c.InHouse != "" {
			e.InHouse = c.InHouse == "yes"
		}
		if c.WithReader != "" {
			e.WithReader = c.WithReader == "yes"
		}
		if c.Reason != "" {
			e.Reason = c.Reason
		}
		if c.Waiver != nil {
			e.Waiver = *c.Waiver
		}
		if err := h.Service.Edit(w.ctx, by, c.Order, e); err != nil {
			return err
		}
		return say(w, "%s is revision %d and waits for an approver", c.Order, c.Revision+1)
	})
}
