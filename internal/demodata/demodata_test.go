package demodata

import (
	"bytes"
	"encoding/csv"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"

	"sceau/lifecycle"
	"sceau/party"
)

const dir = "../../testdata/demo"

func TestCommittedFilesAreThoseGenerated(t *testing.T) {
	t.Parallel()
	bank, err := BankFile()
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string][]byte{"bank.yaml": bank, "orders.csv": OrderFile()} {
		got, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s differs: run go generate ./internal/demodata", name)
		}
	}
}

// read gives the file's lines as maps from column to value; a line of another
// number of columns is nil.
func read(t *testing.T) []map[string]string {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(dir, "orders.csv"))
	if err != nil {
		t.Fatal(err)
	}
	r := csv.NewReader(bytes.NewReader(raw))
	r.Comma, r.FieldsPerRecord = ';', -1
	records, err := r.ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	if got, want := strings.Join(records[0], ";"), "reference;product;client_id;company;country;registry_number;branch;user_number;"+
		"given_name;surname;language;email;complement;street;postcode;city;address_country;delivery;requested_by"; got != want {
		t.Fatalf("header %q, want %q", got, want)
	}
	rows := make([]map[string]string, 0, len(records)-1)
	for _, record := range records[1:] {
		if len(record) != len(records[0]) {
			rows = append(rows, nil)
			continue
		}
		row := map[string]string{}
		for i, column := range records[0] {
			row[column] = record[i]
		}
		rows = append(rows, row)
	}
	return rows
}

func loadSetup(t *testing.T) Setup {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(dir, "bank.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var s Setup
	d := yaml.NewDecoder(bytes.NewReader(raw))
	d.KnownFields(true)
	if err := d.Decode(&s); err != nil {
		t.Fatal(err)
	}
	return s
}

// faults are the columns of a line that are wrong, by the rules of party and
// the bank's set-up.
func faults(row map[string]string, s Setup, references map[string]bool) []string {
	if row == nil {
		return []string{""}
	}
	var wrong []string
	note := func(field string, bad bool) {
		if bad {
			wrong = append(wrong, field)
		}
	}
	note("reference", references[row["reference"]] || row["reference"] == "")
	references[row["reference"]] = true
	product := row["product"]
	note("product", product != "card" && product != "certificate")
	_, err := party.CheckRegistry(row["country"], row["registry_number"])
	note("registry_number", err != nil)
	note("company", party.CheckOrganisation("company", row["company"]) != nil)
	note("branch", !slices.ContainsFunc(s.Branches, func(b Branch) bool { return b.Code == row["branch"] }))
	note("client_id", len(row["client_id"]) != 8)
	note("user_number", len(row["user_number"]) != 4)
	note("given_name", party.CheckName("given_name", row["given_name"]) != nil)
	note("surname", party.CheckName("surname", row["surname"]) != nil)
	_, err = party.ParseLanguage(row["language"])
	note("language", err != nil)
	note("email", party.CheckEmail(row["email"]) != nil || !strings.HasSuffix(row["email"], ".example"))
	address := party.Address{
		Recipient: row["given_name"] + " " + row["surname"], Complement: row["complement"], Street: row["street"],
		Postcode: row["postcode"], City: row["city"], Country: row["address_country"],
	}
	if slices.Contains(wrong, "surname") {
		address.Recipient = row["given_name"] // told once
	}
	if _, err := address.Lines("FR"); err != nil {
		for _, f := range asFields(err) {
			wrong = append(wrong, f.Field)
		}
	}
	delivery := row["delivery"]
	note("delivery", product == "certificate" && delivery != "-" || product == "card" && delivery != "home" && delivery != "branch")
	note("requested_by", !slices.ContainsFunc(s.Staff, func(p Staff) bool {
		return p.Login == row["requested_by"] && slices.Contains(p.Roles, lifecycle.RoleAccountManager)
	}))
	return wrong
}

func asFields(err error) lifecycle.FieldErrors {
	var wrongs lifecycle.FieldErrors
	if !errors.As(err, &wrongs) {
		return lifecycle.FieldErrors{{Field: "address", Why: err.Error()}}
	}
	return wrongs
}

func TestOrderFileHasItsCounts(t *testing.T) {
	t.Parallel()
	s, references := loadSetup(t), map[string]bool{}
	count, own := map[string]int{}, 0
	users, companies := map[string]map[string]bool{}, map[string]string{}
	languages, countries, people := map[string]int{}, map[string]int{}, map[string]string{}
	var wrong []int
	var wrongFields []string
	rows := read(t)
	for i, row := range rows {
		if bad := faults(row, s, references); len(bad) > 0 {
			wrong = append(wrong, i)
			wrongFields = append(wrongFields, strings.Join(bad, "+"))
			continue
		}
		user := row["client_id"] + "/" + row["user_number"]
		if users[user] == nil {
			users[user] = map[string]bool{}
			languages[row["language"]]++
			countries[row["country"]]++
		}
		users[user][row["product"]] = true
		count[row["product"]]++
		count[row["delivery"]]++
		companies[row["registry_number"]] = row["company"]
		name := row["given_name"] + " " + row["surname"]
		if other, taken := people[name]; taken && other != user {
			t.Errorf("%s is two users: %s and %s", name, other, user)
		}
		people[name] = user
		if row["requested_by"] == OrdersAndApproves {
			own++
		}
	}
	both := 0
	for _, products := range users {
		if len(products) == 2 {
			both++
		}
	}
	if len(users) != Users || len(companies) != Companies || count["card"] != Cards || count["certificate"] != Certificates || both != BothProducts {
		t.Errorf("%d users of %d companies, %d cards, %d certificates, %d with both; want %d, %d, %d, %d, %d",
			len(users), len(companies), count["card"], count["certificate"], both, Users, Companies, Cards, Certificates, BothProducts)
	}
	if count["branch"] < 10 || count["home"]+count["branch"] != Cards {
		t.Errorf("%d cards sent home, %d to a branch", count["home"], count["branch"])
	}
	if len(languages) != 4 || len(countries) != 3 || own != 2 {
		t.Errorf("languages %v, countries %v, %d own orders of the approver; want 4, 3, 2", languages, countries, own)
	}
	if want := []string{
		"registry_number", "product", "surname", "language", "postcode", "reference", "surname", "branch", "delivery",
		"street", "email", "",
	}; !slices.Equal(wrongFields, want) {
		t.Errorf("wrong columns %q, want %q", wrongFields, want)
	}
	if len(wrong) != wrongCount || wrong[0] < len(rows)/4 || wrong[len(wrong)-1] > len(rows)*3/4 {
		t.Errorf("wrong lines at %v of %d, want %d in the middle half", wrong, len(rows), wrongCount)
	}
	for i, w := range WrongLines() {
		if w.Field != wrongFields[i] {
			t.Errorf("wrong line %d says %q is wrong, it is %q", i, w.Field, wrongFields[i])
		}
	}
}

func TestEupenSpeaksGerman(t *testing.T) {
	t.Parallel()
	german := 0
	for _, row := range read(t) {
		if row["language"] == "de" && row["address_country"] == "BE" && row["city"] == "Eupen" {
			german++
		}
	}
	if german < 3 {
		t.Errorf("%d German speakers of Eupen, want 3 or more", german)
	}
}

func TestBankHasItsStaffBranchesAndTariff(t *testing.T) {
	t.Parallel()
	s := loadSetup(t)
	roles, double := map[lifecycle.Role]int{}, 0
	for _, p := range s.Staff {
		if slices.Equal(p.Roles, []lifecycle.Role{lifecycle.RoleAccountManager, lifecycle.RoleApprover}) {
			double++
			continue
		}
		for _, r := range p.Roles {
			if !slices.Contains(lifecycle.StaffRoles(), r) {
				t.Errorf("%s has the unknown role %s", p.Login, r)
			}
			roles[r]++
		}
		if _, err := party.ParseLanguage(p.Language); err != nil {
			t.Errorf("%s: %v", p.Login, err)
		}
	}
	want := map[lifecycle.Role]int{
		lifecycle.RoleAccountManager: 4, lifecycle.RoleApprover: 2, lifecycle.RoleOperator: 2,
		lifecycle.RoleSecurityOfficer: 2, lifecycle.RoleAuditor: 1,
	}
	for r, n := range want {
		if roles[r] != n {
			t.Errorf("%d of role %s, want %d", roles[r], r, n)
		}
	}
	if double != 1 {
		t.Errorf("%d people order and approve, want 1", double)
	}
	if len(s.Branches) < 4 || s.Bank.IIN != "925000" || len(s.Bank.Phones) != 3 {
		t.Errorf("%d branches, IIN %q, %d telephone numbers", len(s.Branches), s.Bank.IIN, len(s.Bank.Phones))
	}
	for _, reason := range append(lifecycle.ReplacementReasons(), "new") {
		if !slices.ContainsFunc(s.Tariff, func(p Price) bool {
			return p.Product == "card" && p.Reason == string(reason) && p.Currency == "EUR" && p.AmountCents >= 0
		}) {
			t.Errorf("the tariff has no price for a card, reason %s", reason)
		}
	}
}
