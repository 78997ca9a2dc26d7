package jobs

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"errors"
	"fmt"
	"math/big"
	"sync"
	"testing"
	"time"

	"sceau/ca"
	"sceau/hsm"
	"sceau/hsm/crypt"
	"sceau/hsm/keyblock"
	"sceau/internal/testenv"
	"sceau/issuance"
	"sceau/lifecycle"
)

// monday is when the bank's day begins; the keys are a day older.
var monday = time.Date(2026, 3, 2, 9, 30, 15, 0, time.UTC)

const (
	publicBase   = "http://pki.aubepine.example"
	transportKey = "transport"
	shards       = 2
)

// realm is a Vault after its key ceremony, and who reads what leaves the house.
// The tests were both custodians, so that they know the transport key.
type realm struct {
	Address, Worker, PINs string // tokens of the two kinds of worker
	Root, Issuing, OCSP   []byte // DER
	BureauSigner          []byte // DER
	Bureau, PrintRoom     []byte // DER
	Marks                 string // ending of the names of the database's marks

	auditFile         string
	transport         *crypt.TDES
	transportKey      []byte
	bureau, printRoom reader
}

// reader is who opens what is sealed.
type reader struct {
	certificate *x509.Certificate
	key         *rsa.PrivateKey
}

// readers are drawn once: RSA keys of 3072 bits are slow to find.
var readers = sync.OnceValues(func() ([2]reader, error) {
	var both [2]reader
	for i := range both {
		key, err := rsa.GenerateKey(rand.Reader, 3072)
		if err != nil {
			return both, err
		}
		template := &x509.Certificate{
			SerialNumber: big.NewInt(int64(1 + i)), Subject: pkix.Name{CommonName: "Reader"},
			NotBefore: monday.AddDate(-1, 0, 0), NotAfter: monday.AddDate(20, 0, 0), KeyUsage: x509.KeyUsageKeyEncipherment,
		}
		der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
		if err != nil {
			return both, err
		}
		both[i].key = key
		if both[i].certificate, err = x509.ParseCertificate(der); err != nil {
			return both, err
		}
	}
	return both, nil
})

var shared struct {
	once  sync.Once
	realm realm
	err   error
}

// sharedRealm is the realm of this binary's Vault. Card identifiers are drawn, so
// that its tests do not meet.
func sharedRealm(t testing.TB) realm {
	t.Helper()
	vault := testenv.Vault(t)
	shared.once.Do(func() { shared.realm, shared.err = newRealm(context.WithoutCancel(t.Context()), vault) })
	if shared.err != nil {
		t.Fatalf("key ceremony: %v", shared.err)
	}
	return shared.realm
}

// newRealm holds a key ceremony.
func newRealm(ctx context.Context, vault testenv.VaultServer) (realm, error) {
	r := realm{Address: vault.Addr, auditFile: vault.AuditFile}
	both, err := readers()
	if err != nil {
		return r, err
	}
	r.bureau, r.printRoom = both[0], both[1]
	r.Bureau, r.PrintRoom = r.bureau.certificate.Raw, r.printRoom.certificate.Raw
	admin, err := hsm.Open(ctx, hsm.Config{Address: vault.Addr, Token: vault.RootToken})
	if err != nil {
		return r, err
	}
	defer admin.Close()
	if err := admin.ApplyPolicies(ctx); err != nil {
		return r, err
	}
	for role, token := range map[hsm.Role]*string{hsm.RoleWorker: &r.Worker, hsm.RolePINLetter: &r.PINs} {
		if *token, err = admin.NewToken(ctx, role, "test "+string(role)); err != nil {
			return r, err
		}
	}
	if err := r.cardKeys(ctx, admin); err != nil {
		return r, err
	}
	return r, r.signingKeys(ctx, admin)
}

func (r *realm) cardKeys(ctx context.Context, admin *hsm.Client) error {
	for name, usage := range map[string]hsm.KeyUsage{"imk-ac": hsm.UsageIMKAC, "imk-smi": hsm.UsageIMKSMI, "imk-smc": hsm.UsageIMKSMC} {
		if _, err := admin.CreateKey(ctx, name, usage, ""); err != nil {
			return err
		}
	}
	r.transportKey = make([]byte, 16)
	for i, component := range []string{"1C587FD3EA6B923E45B0C7921A6DF854", "2A5E43B6C89D107F6EA4D9327C15FB80"} {
		raw, err := hex.DecodeString(component)
		if err != nil {
			return err
		}
		kcv, err := keyblock.CheckValueTDES(raw)
		if err != nil {
			return err
		}
		for j := range raw {
			r.transportKey[j] ^= raw[j]
		}
		token, err := admin.NewToken(ctx, hsm.RoleCeremony, fmt.Sprintf("custodian %d", i+1))
		if err != nil {
			return err
		}
		custodian, err := hsm.Open(ctx, hsm.Config{Address: r.Address, Token: token})
		if err != nil {
			return err
		}
		defer custodian.Close()
		part := hsm.KeyComponent{
			Key: transportKey, Usage: hsm.UsageTransport, Algorithm: "tdes2", Index: i + 1, Total: 2, Component: component, KCV: kcv,
		}
		if _, _, err := custodian.EnterComponent(ctx, part); err != nil {
			return err
		}
	}
	var err error
	r.transport, err = crypt.NewTDES(r.transportKey)
	return err
}

func (r *realm) signingKeys(ctx context.Context, admin *hsm.Client) error {
	err := errors.Join(admin.RootKeystore().CreateSigningKey(ctx, "root-1", hsm.P256), admin.CreateSigningKey(ctx, "issuing-1", hsm.P256),
		admin.CreateSigningKey(ctx, "ocsp-1", hsm.P256), admin.CreateSigningKey(ctx, "bureau-1", hsm.P256))
	if err != nil {
		return err
	}
	name := func(cn string) ca.Name {
		return ca.Name{CommonName: cn, Organization: "Banque Aubépine SA", OrganizationID: "NTRFR-299010009", RegistryNumber: "299010009", Country: "FR"}
	}
	rootKey, err := admin.RootKeystore().SigningKey(ctx, "root-1", 0)
	if err != nil {
		return err
	}
	before := monday.AddDate(0, 0, -1)
	root, err := ca.SelfSignRoot(rootKey.Signer(ctx), name("Aubépine Root"), before)
	if err != nil {
		return err
	}
	signers := map[string]crypto.Signer{}
	for _, key := range []string{"issuing-1", "ocsp-1", "bureau-1"} {
		latest, err := admin.SigningKey(ctx, key, 0)
		if err != nil {
			return err
		}
		signers[key] = latest.Signer(ctx)
	}
	rootIssuer := &ca.Issuer{ID: "root-1", Certificate: root, PublicBase: publicBase}
	issuing, err := ca.SignIssuing(rootIssuer, rootKey.Signer(ctx), signers["issuing-1"].Public(), name("Aubépine Issuing 1"), serial(), before)
	if err != nil {
		return err
	}
	issuer := &ca.Issuer{ID: "issuing-1", Certificate: issuing, PublicBase: publicBase}
	ocsp, err := ca.SignOCSPResponder(issuer, signers["issuing-1"], signers["ocsp-1"].Public(), name("Aubépine OCSP 1"), serial(), before)
	if err != nil {
		return err
	}
	files, err := ca.SignBureauSigner(issuer, signers["issuing-1"], signers["bureau-1"].Public(), name("Aubépine bureau files 1"), serial(), before)
	if err != nil {
		return err
	}
	r.Root, r.Issuing, r.OCSP, r.BureauSigner = root.Raw, issuing.Raw, ocsp.Raw, files.Raw
	return nil
}

func serial() lifecycle.Serial {
	var random [16]byte
	_, _ = rand.Read(random[:])
	return lifecycle.SerialFrom(random)
}

// record tells a bank's database of the ceremony.
func (r realm) record(ctx context.Context, svc *issuance.Service) error {
	by := lifecycle.System("ceremony")
	err := svc.RecordAuthority(ctx, by, issuance.Authority{ID: "root-1", Certificate: r.Root, Mount: "transit-root", Key: "root-1", Shards: 1})
	if err != nil {
		return err
	}
	err = svc.RecordAuthority(ctx, by, issuance.Authority{
		ID: "issuing-1", Certificate: r.Issuing, Mount: "transit", Key: "issuing-1", Shards: shards, Online: true, Parent: "root-1",
	})
	if err != nil {
		return err
	}
	err = svc.RecordDelegate(ctx, by, issuance.Delegate{
		Issuer: "issuing-1", Purpose: issuance.DelegateOCSP, Certificate: r.OCSP, Key: "ocsp-1", NotAfter: monday.AddDate(0, 0, 89),
	})
	if err != nil {
		return err
	}
	return svc.RecordDelegate(ctx, by, issuance.Delegate{
		Issuer: "issuing-1", Purpose: issuance.DelegateBureau, Certificate: r.BureauSigner, Key: "bureau-1", NotAfter: monday.AddDate(0, 11, 0),
	})
}
