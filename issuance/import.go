package issuance

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"sceau/lifecycle"
	"sceau/store"
	"sceau/store/db"
)

// Bounds of an order file.
const (
	maxImportBytes = 64 << 20
	maxImportLines = 100_000
	maxImportField = 256
)

// importColumns is the header of an order file, UTF-8, separated by semicolons.
var importColumns = []string{
	"reference", "product", "client_id", "company", "country", "registry_number", "branch", "user_number", "given_name",
	"surname", "language", "email", "complement", "street", "postcode", "city", "address_country", "delivery", "requested_by",
}

// optionalColumns may follow, in any order: of cards, which product, whether a
// reader comes along and whether they are made at the branch; of holders, whether
// they want letters in large print; of bank_card, what the bank's card system
// made. A file with card numbers in it is as secret as they are.
var optionalColumns = []string{"card_product", "reader", "in_house", "large_print", "pan", "psn", "expiry"}

// LineError is one wrong field of one line. A line with several has several.
type LineError struct {
	Line  int // 1 is the header
	Field string
	Why   string
}

// ImportReport says what became of an order file.
type ImportReport struct {
	ID           lifecycle.ImportID
	Lines        int // without the header
	Kept         int
	Refused      int
	Cards        int
	Registered   int // bank cards
	Certificates int
	Wrong        []LineError
}

// ImportOrders takes a bank's order file: right lines are kept, each in its own
// transaction, wrong ones are reported with line, field and reason. A line whose
// reference is known is wrong, so the same file can be sent again after it was
// corrected. progress, if not nil, is called after each line.
func (s *Service) ImportOrders(ctx context.Context, by lifecycle.Actor, file io.Reader, progress func(line int)) (ImportReport, error) {
	report := ImportReport{ID: lifecycle.ImportID(s.newID(lifecycle.PrefixImport))}
	if err := mayOrder(by); err != nil {
		return report, err
	}
	digest := sha256.New()
	limited := &io.LimitedReader{R: io.TeeReader(file, digest), N: maxImportBytes + 1}
	reader, columns, err := importReader(limited)
	if err != nil {
		return report, err
	}
	// The import exists before its lines refer to it.
	if err := s.recordImport(ctx, by, report, nil); err != nil {
		return report, err
	}
	for {
		record, err := reader.Read()
		if limited.N <= 0 { // before the end is believed: it may be the bound's
			return report, &lifecycle.FieldError{Field: "file", Why: "an order file has at most 64 MiB: split it"}
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if broken(err) {
			return report, fmt.Errorf("read the order file after line %d: %w", report.Lines+1, err)
		}
		if err := s.importLine(ctx, by, &report, reader, columns, record, err); err != nil {
			return report, err
		}
		if progress != nil {
			progress(report.Lines)
		}
	}
	return report, s.recordImport(ctx, by, report, digest.Sum(nil))
}

func importReader(r io.Reader) (*csv.Reader, []string, error) {
	buffered := bufio.NewReader(r)
	if mark, err := buffered.Peek(3); err == nil && bytes.Equal(mark, []byte("\xEF\xBB\xBF")) {
		_, _ = buffered.Discard(3)
	}
	reader := csv.NewReader(buffered)
	reader.Comma = ';'
	reader.FieldsPerRecord = -1
	header, err := reader.Read()
	if broken(err) && !errors.Is(err, io.EOF) {
		return nil, nil, fmt.Errorf("read the order file: %w", err)
	}
	if err != nil {
		return nil, nil, &lifecycle.FieldError{Field: "file", Why: "the first line must be the header " + strings.Join(importColumns, ";")}
	}
	if !goodHeader(header) {
		return nil, nil, &lifecycle.FieldError{
			Field: "file", Why: "the header must be " + strings.Join(importColumns, ";") + ", then any of " + strings.Join(optionalColumns, ";"),
		}
	}
	return reader, header, nil
}

func goodHeader(header []string) bool {
	n := len(importColumns)
	if len(header) < n || !slices.Equal(header[:n], importColumns) {
		return false
	}
	for i, column := range header[n:] {
		if !slices.Contains(optionalColumns, column) || slices.Contains(header[:n+i], column) {
			return false
		}
	}
	return true
}

// broken tells an error of the file's reader from one of a line.
func broken(err error) bool {
	var parse *csv.ParseError
	return err != nil && !errors.As(err, &parse)
}

// importLine takes one line; an error of its own is reported, only one that
// stops the import is returned.
func (s *Service) importLine(ctx context.Context, by lifecycle.Actor, report *ImportReport, reader *csv.Reader, columns, record []string, readErr error) error {
	report.Lines++
	if report.Lines > maxImportLines {
		return &lifecycle.FieldError{Field: "file", Why: "an order file has at most 100 000 lines: split it"}
	}
	line := lineOf(reader, record, readErr)
	if readErr != nil {
		report.Refused++
		report.Wrong = append(report.Wrong, LineError{Line: line, Field: "line", Why: "not a line of CSV: check the quotes"})
		return nil //nolint:nilerr // it stands in the report
	}
	product, err := s.importRecord(ctx, by, report.ID, columns, record)
	if err == nil {
		report.Kept++
		switch product {
		case lifecycle.OrderRegistration:
			report.Registered++
		case lifecycle.OrderNewCertificate:
			report.Certificates++
		default:
			report.Cards++
		}
		return nil
	}
	if !errors.Is(err, lifecycle.Invalid) && !errors.Is(err, lifecycle.Conflict) && !errors.Is(err, lifecycle.Forbidden) {
		return fmt.Errorf("line %d: %w", line, err)
	}
	report.Refused++
	var errs lifecycle.FieldErrors
	errs.Merge(err)
	for _, e := range errs {
		report.Wrong = append(report.Wrong, LineError{Line: line, Field: e.Field, Why: e.Why})
	}
	return nil
}

func lineOf(reader *csv.Reader, record []string, err error) int {
	if parse, ok := errors.AsType[*csv.ParseError](err); ok {
		return parse.StartLine
	}
	if len(record) == 0 {
		return 0
	}
	line, _ := reader.FieldPos(0)
	return line
}

// importRecord keeps one record in one transaction: company and holder if they
// are new, and the order.
func (s *Service) importRecord(ctx context.Context, by lifecycle.Actor, id lifecycle.ImportID, columns, record []string) (lifecycle.OrderKind, error) {
	if len(record) != len(columns) {
		return "", &lifecycle.FieldError{Field: "line", Why: fmt.Sprintf("has %d columns, the header has %d", len(record), len(columns))}
	}
	f := make(map[string]string, len(record))
	for i, v := range record {
		if len(v) > maxImportField || !utf8.ValidString(v) {
			return "", &lifecycle.FieldError{Field: columns[i], Why: "is not UTF-8 text of at most 256 bytes"}
		}
		f[columns[i]] = strings.TrimSpace(v)
	}
	company := Company{
		ClientID: f["client_id"], Name: f["company"], Country: f["country"],
		RegistryNumber: f["registry_number"], BranchCode: f["branch"],
	}
	holder := Holder{
		UserNumber: f["user_number"], GivenName: f["given_name"], Surname: f["surname"], Language: f["language"],
		Email: f["email"], Complement: f["complement"], Street: f["street"], Postcode: f["postcode"], City: f["city"],
		Country: f["address_country"],
	}
	request := OrderRequest{Reference: f["reference"], BranchCode: f["branch"], importID: id}
	var errs lifecycle.FieldErrors
	if request.Reference == "" {
		errs.Add("reference", "give each order a reference of its own")
	}
	errs.AddError("reference", checkReference(request.Reference))
	importProduct(f, &request, &errs)
	if large := yes(f, "large_print", &errs); f["large_print"] != "" {
		holder.LargePrint = &large
	}
	company.check(&errs)
	holder.check(company.Name, &errs)
	if err := errs.Err(); err != nil {
		return "", err
	}
	requester, err := s.StaffActor(ctx, f["requested_by"], lifecycle.RoleAccountManager)
	if err != nil {
		return "", &lifecycle.FieldError{Field: "requested_by", Why: "no account manager has this login"}
	}
	return request.Kind, s.store.InTx(ctx, func(tx store.Tx) error {
		if _, err := tx.BranchByCode(ctx, f["branch"]); err != nil {
			return noBranch(err)
		}
		c, err := s.subscribeTx(ctx, tx, by, company)
		if err != nil {
			return err
		}
		h, err := s.enrolTx(ctx, tx, by, c, holder)
		if err != nil {
			return err
		}
		request.Holder = h.ID
		_, err = s.submitTx(ctx, tx, requester, request)
		return err
	})
}

// importProduct reads what is ordered.
func importProduct(f map[string]string, r *OrderRequest, errs *lifecycle.FieldErrors) {
	r.Product = f["card_product"]
	r.WithReader, r.InHouse = yes(f, "reader", errs), yes(f, "in_house", errs)
	switch f["product"] {
	case "card":
		r.Kind, r.Delivery = lifecycle.OrderNewCard, lifecycle.Delivery(f["delivery"])
		if r.Delivery != lifecycle.DeliverHome && r.Delivery != lifecycle.DeliverBranch {
			errs.Add("delivery", "use home or branch for a card")
		}
	case "bank_card":
		r.Kind, r.Registers = lifecycle.OrderRegistration, importBankCard(f, errs)
	case "certificate":
		r.Kind = lifecycle.OrderNewCertificate
	default:
		errs.Add("product", "use card, bank_card or certificate")
		return
	}
	if f["product"] != "card" && f["delivery"] != "-" {
		errs.Add("delivery", "use - for what is not posted")
	}
	if f["product"] != "bank_card" {
		for _, column := range []string{"pan", "psn", "expiry"} {
			if f[column] != "" {
				errs.Add(column, "only a bank_card has one: leave it empty")
			}
		}
	}
}

// yes reads a column of yes or no, where nothing is no.
func yes(f map[string]string, column string, errs *lifecycle.FieldErrors) bool {
	if !slices.Contains([]string{"", "no", "yes"}, f[column]) {
		errs.Add(column, "use yes or no")
	}
	return f[column] == "yes"
}

// importBankCard reads the card that a registration names. No error repeats a
// number.
func importBankCard(f map[string]string, errs *lifecycle.FieldErrors) *RegisteredCard {
	var c RegisteredCard
	var err error
	if c.PAN, err = lifecycle.NewPAN(f["pan"]); err != nil {
		errs.Add("pan", "give a card number of 12 to 19 digits whose check digit is right")
	}
	if c.PSN, err = strconv.Atoi(f["psn"]); err != nil || c.PSN < 1 || c.PSN > 99 {
		errs.Add("psn", "give the sequence number, 1 to 99")
	}
	if c.Expiry, err = time.Parse("2006-01", f["expiry"]); err != nil {
		errs.Add("expiry", "give the last month as 2029-11")
	}
	return &c
}

// recordImport writes the import before its first line, and what became of it
// after the last.
func (s *Service) recordImport(ctx context.Context, by lifecycle.Actor, r ImportReport, digest []byte) error {
	return s.store.InTx(ctx, func(tx store.Tx) error {
		if digest == nil {
			err := tx.InsertImport(ctx, db.InsertImportParams{ID: r.ID, SHA256: []byte{}, TakenBy: by.ID, TakenAt: s.now()})
			if err != nil {
				return fmt.Errorf("record import: %w", err)
			}
			return s.born(ctx, tx, "import", string(r.ID), "started", by, nil)
		}
		err := tx.FinishImport(ctx, db.FinishImportParams{
			SHA256: digest, Lines: int32(r.Lines), Kept: int32(r.Kept), Refused: int32(r.Refused), ID: r.ID, //nolint:gosec // at most 100 000
		})
		if err != nil {
			return fmt.Errorf("record import: %w", err)
		}
		return nil
	})
}
