package demodata

import "sceau/lifecycle"

// Stock is what the bank keeps stock of, where, and what is there at first.
type Stock struct {
	Places  []StockPlace   `yaml:"places"`
	Items   []StockItem    `yaml:"items"`
	Minima  []StockMinimum `yaml:"minima"`
	Opening []OpeningStock `yaml:"opening"`
}

// StockPlace is a place that is no branch.
type StockPlace struct {
	Code string              `yaml:"code"`
	Kind lifecycle.PlaceKind `yaml:"kind"`
	Name string              `yaml:"name"`
}

// StockItem is a kind of plastic, paper or reader.
type StockItem struct {
	Code         string              `yaml:"code"`
	Kind         lifecycle.StockKind `yaml:"kind"`
	Name         string              `yaml:"name"`
	SerialPrefix string              `yaml:"serial_prefix,omitempty"`
	SerialDigits int                 `yaml:"serial_digits,omitempty"`
}

// StockMinimum is what an alarm is shown below.
type StockMinimum struct {
	Item     string `yaml:"item"`
	Place    string `yaml:"place"`
	Quantity int    `yaml:"quantity"`
}

// OpeningStock is what is there when the books begin.
type OpeningStock struct {
	Item     string `yaml:"item"`
	Place    string `yaml:"place"`
	Quantity int    `yaml:"quantity,omitempty"`
	Serials  string `yaml:"serials,omitempty"`
}

// The sample bank's plastics are numbered PL and nine digits, its readers RD and
// six.
func stock() Stock {
	const plastic, paper, reader = "plastic-securaccess", "paper-pin", "reader-cap"
	const bureau, printRoom, vault = "bureau-1", "print-room", "vault"
	return Stock{
		Places: []StockPlace{
			{bureau, lifecycle.PlaceBureau, "Personnalisateur"},
			{printRoom, lifecycle.PlacePrintRoom, "Atelier d’impression, Rennes"},
			{vault, lifecycle.PlaceVault, "Chambre forte du siège, Rennes"},
		},
		Items: []StockItem{
			{plastic, lifecycle.StockPlastic, "Carte Aubépine Accès, vierge", "PL", 9},
			{paper, lifecycle.StockPaper, "Papier des plis code", "", 0},
			{reader, lifecycle.StockReader, "Lecteur CAP Aubépine", "RD", 6},
		},
		Minima: []StockMinimum{
			{plastic, bureau, 200}, {plastic, vault, 1000}, {plastic, "FR01", 10}, {paper, printRoom, 500}, {reader, printRoom, 50}, {reader, "FR01", 10}, {reader, "BE02", 5},
		},
		Opening: []OpeningStock{
			{Item: plastic, Place: bureau, Serials: "PL000000001-PL000001000"}, {Item: plastic, Place: vault, Serials: "PL000001001-PL000005000"},
			{Item: plastic, Place: "FR01", Serials: "PL000005001-PL000005050"},
			{Item: paper, Place: printRoom, Quantity: 5000}, {Item: paper, Place: vault, Quantity: 20000},
			{Item: reader, Place: vault, Serials: "RD000001-RD000500"}, {Item: reader, Place: printRoom, Serials: "RD000501-RD000600"},
			{Item: reader, Place: "FR01", Serials: "RD000601-RD000620"}, {Item: reader, Place: "BE02", Serials: "RD000621-RD000630"},
		},
	}
}
