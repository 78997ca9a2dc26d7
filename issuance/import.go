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
	"strings"
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
	reader, err := importReader(limited)
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
		if err := s.importLine(ctx, by, &report, reader, record, err); err != nil {
			return report, err
		}
		if progress != nil {
			progress(report.Lines)
		}
	}
	return report, s.recordImport(ctx, by, report, digest.Sum(nil))
}

func importReader(r io.Reader) (*csv.Reader, error) {
	buffered := bufio.NewReader(r)
	if mark, err := buffered.Peek(3); err == nil && bytes.Equal(mark, []byte("\xEF\xBB\xBF")) {
		_, _ = buffered.Discard(3)
	}
	reader := csv.NewReader(buffered)
	reader.Comma = ';'
	reader.FieldsPerRecord = -1
	header, err := reader.Read()
	if broken(err) && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("read the order file: %w", err)
	}
	if err != nil {
		return nil, &lifecycle.FieldError{Field: "file", Why: "the first line must be the header " + strings.Join(importColumns, ";")}
	}
	if strings.Join(header, ";") != strings.Join(importColumns, ";") {
		return nil, &lifecycle.FieldError{Field: "file", Why: "the header must be " + strings.Join(importColumns, ";")}
	}
	return reader, nil
}

// broken tells an error of the file's reader from one of a line.
func broken(err error) bool {
	var parse *csv.ParseError
	return err != nil && !errors.As(err, &parse)
}

// importLine takes one line; an error of its own is reported, only one that
// stops the import is returned.
func (s *Service) importLine(ctx context.Context, by lifecycle.Actor, report *ImportReport, reader *csv.Reader, record []string, readErr error) error {
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
	product, err := s.importRecord(ctx, by, report.ID, record)
	if err == nil {
		report.Kept++
		if product == "card" {
			report.Cards++
		} else {
			report.Certificates++
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
func (s *Service) importRecord(ctx context.Context, by lifecycle.Actor, id lifecycle.ImportID, record []string) (string, error) {
	if len(record) != len(importColumns) {
		return "", &lifecycle.FieldError{Field: "line", Why: fmt.Sprintf("has %d columns, the header has %d", len(record), len(importColumns))}
	}
	f := make(map[string]string, len(record))
	for i, v := range record {
		if len(v) > maxImportField || !utf8.ValidString(v) {
			return "", &lifecycle.FieldError{Field: importColumns[i], Why: "is not UTF-8 text of at most 256 bytes"}
		}
		f[importColumns[i]] = strings.TrimSpace(v)
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
	request.Kind, request.Delivery = importProduct(f, &errs)
	company.check(&errs)
	holder.check(company.Name, &errs)
	if err := errs.Err(); err != nil {
		return "", err
	}
	requester, err := s.StaffActor(ctx, f["requested_by"], lifecycle.RoleAccountManager)
	if err != nil {
		return "", &lifecycle.FieldError{Field: "requested_by", Why: "no account manager has this login"}
	}
	return f["product"], s.store.InTx(ctx, func(tx store.Tx) error {
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

func importProduct(f map[string]string, errs *lifecycle.FieldErrors) (lifecycle.OrderKind, lifecycle.Delivery) {
	switch f["product"] {
	case "card":
		delivery := lifecycle.Delivery(f["delivery"])
		if delivery != lifecycle.DeliverHome && delivery != lifecycle.DeliverBranch {
			errs.Add("delivery", "use home or branch for a card")
		}
		return lifecycle.OrderNewCard, delivery
	case "certificate":
		if f["delivery"] != "-" {
			errs.Add("delivery", "use - for a certificate: nothing is posted")
		}
		return lifecycle.OrderNewCertificate, ""
	}
	errs.Add("product", "use card or certificate")
	return "", ""
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
