package house

import (
	"context"
	"fmt"

	"sceau/issuance"
	"sceau/letter"
	"sceau/lifecycle"
	"sceau/party"
)

// bankStock is what a bank's file says of stock. Without items no books are kept.
type bankStock struct {
	Places []struct {
		Code string              `yaml:"code"`
		Kind lifecycle.PlaceKind `yaml:"kind"`
		Name string              `yaml:"name"`
	} `yaml:"places"`
	Items []struct {
		Code         string              `yaml:"code"`
		Kind         lifecycle.StockKind `yaml:"kind"`
		Name         string              `yaml:"name"`
		SerialPrefix string              `yaml:"serial_prefix"`
		SerialDigits int                 `yaml:"serial_digits"` // left out: pieces have no serial number
	} `yaml:"items"`
	Minima []struct {
		Item     string `yaml:"item"`
		Place    string `yaml:"place"`
		Quantity int64  `yaml:"quantity"`
	} `yaml:"minima"`
	Opening []struct { // when the books begin: taken once, with its item
		Item     string `yaml:"item"`
		Place    string `yaml:"place"`
		Quantity int64  `yaml:"quantity"`
		Serials  string `yaml:"serials"` // PL000001-PL000100,PL000105
	} `yaml:"opening"`
}

func (b bankStock) setup() issuance.StockSetup {
	var s issuance.StockSetup
	for _, p := range b.Places {
		s.Places = append(s.Places, issuance.StockPlace(p))
	}
	for _, i := range b.Items {
		s.Items = append(s.Items, issuance.StockItem(i))
	}
	for _, m := range b.Minima {
		s.Minima = append(s.Minima, issuance.StockMinimum{StockAt: issuance.StockAt{Item: m.Item, Place: m.Place}, Quantity: m.Quantity})
	}
	for _, o := range b.Opening {
		s.Opening = append(s.Opening, issuance.OpeningStock{
			StockAt: issuance.StockAt{Item: o.Item, Place: o.Place}, Quantity: o.Quantity, Serials: o.Serials,
		})
	}
	return s
}

// DestructionCertificate sets the certificate of what two people saw destroyed.
func (h *House) DestructionCertificate(ctx context.Context, bank *Bank, id lifecycle.DestructionID, language string) ([]byte, error) {
	d, err := h.Service.Destruction(ctx, id)
	if err != nil {
		return nil, err
	}
	if d.State != lifecycle.DestructionDone {
		return nil, fmt.Errorf("destruction %s: %w: it is %s: a certificate follows when it is confirmed", id, lifecycle.Illegal, d.State)
	}
	return letter.DestructionCertificate(letter.DestructionData{
		Bank: bank.Sender(), Language: party.Language(language), Reference: string(d.ID), Date: d.Destroyed, Place: d.PlaceName, Kind: d.Item.Kind,
		Item: d.Item.Name + " (" + d.Item.Code + ")", Quantity: d.Goods.Quantity, Serials: d.Item.Lines(d.Goods), Method: d.Method, Reason: d.Reason,
		Proposed: d.ProposedBy, Seen: d.DestroyedBy,
	})
}
