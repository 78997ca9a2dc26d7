package house

import (
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"os"

	"sceau/hsm"
	"sceau/jobs"
	"sceau/lifecycle"
)

// Workers say how a process works its queues. A process that renders PIN
// letters alone has the PIN policy's client and no other.
type Workers struct {
	jobs.Settings

	Vault         *hsm.Client  // default queue
	Keys          hsm.Keystore // default queue: CA and OCSP keys; nil: Vault
	PINVault      *hsm.Client  // PIN queue, with its own Vault policy
	Bank          *Bank
	Bureaux       map[string]jobs.Bureau // default queue
	PrintRoomCert *x509.Certificate
	PublicBase    string
	Resolve       string          // where the public door is reached from here, host:port; "": by its name
	Mail          jobs.Mailer     // mail queue
	Engine        jobs.CardEngine // nil: Vault
}

// Work makes the process's workers; Start starts them.
func (h *House) Work(w Workers) (*jobs.Client, error) {
	tools := jobs.Tools{
		Service: h.Service, Now: h.config.Now, Logger: h.config.Logger, Bureaux: w.Bureaux,
		PrintRoomCert: w.PrintRoomCert, PublicBase: w.PublicBase, TestSubjects: h.config.TestNames,
		Bank: w.Bank.Sender(), Phones: w.Bank.Bank.Phones,
		BankCountry: w.Bank.Bank.Country, Watcher: lookout{h, w.Resolve}, Lists: newForeign(), Mail: w.Mail, CardName: w.Bank.Bank.CardProduct, Engine: w.Engine,
	}
	if w.Vault != nil {
		if w.Keys == nil {
			w.Keys = w.Vault
		}
		tools.Signers, tools.Marks = hsm.NewKeyring(w.Keys), w.Vault
		if tools.Engine == nil {
			tools.Engine = w.Vault
		}
	}
	if w.PINVault != nil {
		tools.PINs = w.PINVault
	}
	return jobs.NewClient(h.Pool, tools, w.Settings)
}

// ReadCertificate reads a certificate file in PEM.
func ReadCertificate(path string) (*x509.Certificate, error) {
	text, err := os.ReadFile(path) //nolint:gosec // named by the configuration
	if err != nil {
		return nil, fmt.Errorf("%w: read a certificate: %w", lifecycle.Invalid, err)
	}
	block, _ := pem.Decode(text)
	if block == nil || block.Type != "CERTIFICATE" {
		return nil, fmt.Errorf("%w: %s is not a certificate in PEM", lifecycle.Invalid, path)
	}
	certificate, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w", lifecycle.Invalid, path, err)
	}
	return certificate, nil
}
