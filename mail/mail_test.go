package mail_test

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"io"
	"math/big"
	"mime"
	"mime/quotedprintable"
	"net"
	netmail "net/mail"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"

	"sceau/lifecycle"
	"sceau/mail"
	"sceau/party"
)

const user, password = "sceau", "open sesame, mail only"

var (
	bank    = mail.Sender{Name: "Banque Aubépine", Address: "certificats@aubepine.example"}
	message = mail.Message{
		ID: "NT-0123456789ABCDEF", To: "helene@montclair.example", Subject: "Banque Aubépine : votre certificat est révoqué",
		Body: "Bonjour Hélène,\n\nVotre certificat a été révoqué.\n.\nfin\n", Language: party.French, Date: time.Date(2026, 3, 2, 9, 30, 0, 0, time.UTC),
	}
)

// server is a real SMTP server that does as it is told.
type server struct {
	port  int
	roots *x509.CertPool

	mu   sync.Mutex
	took []string // guarded by mu

	rcpt, from, data error // what it answers
	drop             bool  // after DATA, with the message kept
	open             bool  // without login
}

type session struct {
	*server

	conn   *smtp.Conn
	closed bool // the way is closed, and the user known
}

func (s *server) NewSession(c *smtp.Conn) (smtp.Session, error) {
	return &session{server: s, conn: c}, nil
}

func (s *session) AuthMechanisms() []string { return []string{sasl.Plain} }

func (s *session) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, u, p string) error {
		if _, secure := s.conn.TLSConnectionState(); !secure || u != user || p != password {
			return &smtp.SMTPError{Code: 535, EnhancedCode: smtp.EnhancedCode{5, 7, 8}, Message: "no"}
		}
		s.closed = true
		return nil
	}), nil
}

func (s *session) Mail(string, *smtp.MailOptions) error {
	if !s.closed && !s.open {
		return smtp.ErrAuthRequired
	}
	return s.from
}

func (s *session) Rcpt(string, *smtp.RcptOptions) error { return s.rcpt }

func (s *session) Data(r io.Reader) error {
	text, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	if s.data != nil {
		return s.data
	}
	s.mu.Lock()
	s.took = append(s.took, string(text))
	s.mu.Unlock()
	if s.drop {
		_ = s.conn.Conn().Close()
	}
	return nil
}

func (*session) Reset()        {}
func (*session) Logout() error { return nil }

// serve starts a server, with TLS from the first octet or on demand.
func serve(t *testing.T, implicit bool, adapt func(*server)) *server {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "mail"}, NotBefore: time.Now().Add(-time.Hour),
		NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	must(t, err)
	certificate, err := x509.ParseCertificate(der)
	must(t, err)
	s := &server{roots: x509.NewCertPool()}
	s.roots.AddCert(certificate)
	adapt(s)
	smtpd := smtp.NewServer(s)
	smtpd.Domain, smtpd.AllowInsecureAuth = "mail.example", true
	config := &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}, MinVersion: tls.VersionTLS12}
	if !s.open {
		smtpd.TLSConfig = config
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	s.port = listener.Addr().(*net.TCPAddr).Port
	if implicit {
		listener = tls.NewListener(listener, config)
	}
	go func() { _ = smtpd.Serve(listener) }()
	t.Cleanup(func() { _ = smtpd.Close() })
	return s
}

func (s *server) messages() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.took
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// settings are those of the server, with a login.
func (s *server) settings(t *testing.T, security mail.Security) mail.Settings {
	t.Helper()
	file := filepath.Join(t.TempDir(), "password")
	must(t, os.WriteFile(file, []byte(password+"\n"), 0o600))
	return mail.Settings{Host: "127.0.0.1", Port: s.port, Security: security, User: user, PasswordFile: file, Roots: s.roots}
}

func send(t *testing.T, s mail.Settings) (string, error) {
	t.Helper()
	m, err := mail.NewSMTP(s, bank)
	must(t, err)
	return m.Send(t.Context(), message)
}

// wantMessage holds a message, as it came over the wire, against what was sent.
func wantMessage(t *testing.T, raw string) {
	t.Helper()
	got, err := netmail.ReadMessage(strings.NewReader(raw))
	must(t, err)
	var words mime.WordDecoder
	subject, err := words.DecodeHeader(got.Header.Get("Subject"))
	must(t, err)
	from, err := got.Header.AddressList("From")
	must(t, err)
	date, err := got.Header.Date()
	must(t, err)
	body, err := io.ReadAll(quotedprintable.NewReader(got.Body))
	must(t, err)
	if subject != message.Subject || from[0].Name != bank.Name || from[0].Address != bank.Address || !date.Equal(message.Date) {
		t.Errorf("headers %v", got.Header)
	}
	if text := strings.ReplaceAll(string(body), "\r\n", "\n"); strings.TrimRight(text, "\n") != strings.TrimRight(message.Body, "\n") {
		t.Errorf("body %q, want %q", text, message.Body)
	}
	for name, want := range map[string]string{
		"Message-ID": "<NT-0123456789ABCDEF@aubepine.example>", "Auto-Submitted": "auto-generated", "Content-Language": "fr",
		"To": "<helene@montclair.example>", "User-Agent": "", "X-Mailer": "",
	} {
		if h := got.Header.Get(name); h != want {
			t.Errorf("%s: %s, want %s", name, h, want)
		}
	}
}

func TestAMessageArrivesAsItWasSent(t *testing.T) {
	t.Parallel()
	for _, security := range []mail.Security{mail.StartTLS, mail.TLS, mail.Open} {
		t.Run(string(security), func(t *testing.T) {
			t.Parallel()
			s := serve(t, security == mail.TLS, func(s *server) { s.open = security == mail.Open })
			settings := s.settings(t, security)
			if s.open {
				settings.User, settings.PasswordFile = "", ""
			}
			id, err := send(t, settings)
			must(t, err)
			if got := s.messages(); len(got) != 1 || id != "NT-0123456789ABCDEF@aubepine.example" {
				t.Fatalf("%d messages, %s", len(got), id)
			}
			wantMessage(t, s.messages()[0])
		})
	}
}

func TestWhatIsRefusedForGoodIsToldFromWhatIsTriedAgain(t *testing.T) {
	t.Parallel()
	says := func(code int, enhanced ...int) error {
		return &smtp.SMTPError{Code: code, EnhancedCode: smtp.EnhancedCode(enhanced), Message: "about helene@montclair.example"}
	}
	for name, test := range map[string]struct {
		adapt   func(*server)
		forGood bool
		says    string
	}{
		"nobody there":          {func(s *server) { s.rcpt = says(550, 5, 1, 1) }, true, "the address: 550 5.1.1"},
		"a full box":            {func(s *server) { s.rcpt = says(452, 4, 2, 2) }, false, "452 4.2.2"},
		"a grey list":           {func(s *server) { s.rcpt = says(451, 4, 7, 1) }, false, "451 4.7.1"},
		"a message that is bad": {func(s *server) { s.data = says(554, 5, 6, 0) }, true, "the message: 554 5.6.0"},
		"no space for it":       {func(s *server) { s.data = says(452, 4, 3, 1) }, false, "452 4.3.1"},
		"a sender it knows not": {func(s *server) { s.from = says(550, 5, 1, 8) }, false, "550 5.1.8"},
		"a login it misses":     {func(s *server) { s.rcpt = says(530, 5, 7, 0) }, false, "530 5.7.0"},
		"an end after DATA":     {func(s *server) { s.drop = true }, false, "the connection broke"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := serve(t, false, test.adapt)
			_, err := send(t, s.settings(t, mail.StartTLS))
			if err == nil || errors.Is(err, lifecycle.Invalid) != test.forGood || !strings.Contains(err.Error(), test.says) {
				t.Errorf("error = %v; for good: want %v", err, test.forGood)
			}
			if err != nil && (strings.Contains(err.Error(), "helene") || strings.Contains(err.Error(), password)) {
				t.Errorf("it tells too much: %v", err)
			}
		})
	}
}

// The server had it although the way broke: sent again it is the same message.
func TestAMessageSentTwiceIsSeenToBeTheSame(t *testing.T) {
	t.Parallel()
	s := serve(t, false, func(s *server) { s.drop = true })
	for range 2 {
		if _, err := send(t, s.settings(t, mail.StartTLS)); err == nil {
			t.Fatal("no error")
		}
	}
	got := s.messages()
	if len(got) != 2 {
		t.Fatalf("%d messages", len(got))
	}
	for _, raw := range got {
		wantMessage(t, raw)
	}
}

func TestNothingIsSaidOnAnOpenWay(t *testing.T) {
	t.Parallel()
	s := serve(t, false, func(s *server) { s.open = true }) // offers no STARTTLS
	if _, err := send(t, s.settings(t, mail.StartTLS)); err == nil || errors.Is(err, lifecycle.Invalid) || len(s.messages()) > 0 {
		t.Errorf("without STARTTLS: %v, %d messages", err, len(s.messages()))
	}
	s = serve(t, false, func(*server) {})
	settings := s.settings(t, mail.StartTLS)
	settings.Roots = x509.NewCertPool()
	if _, err := send(t, settings); err == nil || errors.Is(err, lifecycle.Invalid) {
		t.Errorf("a server that nobody vouches for: %v", err)
	}
	must(t, os.WriteFile(settings.PasswordFile, []byte("wrong"), 0o600))
	settings.Roots = s.roots
	if _, err := send(t, settings); err == nil || errors.Is(err, lifecycle.Invalid) || len(s.messages()) > 0 {
		t.Errorf("a wrong password: %v", err)
	}
}

// A server that does not answer holds nobody for longer than they wait.
func TestASilentServerIsLeft(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	t.Cleanup(func() { _ = listener.Close() })
	met := make(chan struct{})
	go func() {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		close(met)
		_, _ = bufio.NewReader(conn).ReadByte()
	}()
	m, err := mail.NewSMTP(mail.Settings{Host: "127.0.0.1", Port: listener.Addr().(*net.TCPAddr).Port, Security: mail.Open}, bank)
	must(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if _, err := m.Send(ctx, message); err == nil {
		t.Error("no error")
	}
	<-met
}

func TestSettingsThatCannotBeAreRefused(t *testing.T) {
	t.Parallel()
	right := mail.Settings{Host: "mail.aubepine.example", Security: mail.StartTLS}
	if _, err := mail.NewSMTP(right, bank); err != nil {
		t.Fatal(err)
	}
	for name, spoil := range map[string]func(*mail.Settings, *mail.Sender){
		"no host":                 func(s *mail.Settings, _ *mail.Sender) { s.Host = "" },
		"a host with its port":    func(s *mail.Settings, _ *mail.Sender) { s.Host = "mail.example:25" },
		"another security":        func(s *mail.Settings, _ *mail.Sender) { s.Security = "perhaps" },
		"no TLS to another place": func(s *mail.Settings, _ *mail.Sender) { s.Security = mail.Open },
		"a password without TLS": func(s *mail.Settings, _ *mail.Sender) {
			s.Host, s.Security, s.User, s.PasswordFile = "localhost", mail.Open, "u", "f"
		},
		"a user without password": func(s *mail.Settings, _ *mail.Sender) { s.User = "u" },
		"a password without user": func(s *mail.Settings, _ *mail.Sender) { s.PasswordFile = "f" },
		"no sender":               func(_ *mail.Settings, f *mail.Sender) { f.Address = "" },
		"a sender of two lines":   func(_ *mail.Settings, f *mail.Sender) { f.Name = "A\r\nBcc: x@y.example" },
	} {
		s, from := right, bank
		spoil(&s, &from)
		if _, err := mail.NewSMTP(s, from); !errors.Is(err, lifecycle.Invalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestATrayKeepsEachMessageOnce(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "mail")
	tray, err := mail.NewTray(dir, bank)
	must(t, err)
	for range 2 {
		_, err := tray.Send(t.Context(), message)
		must(t, err)
	}
	files, err := os.ReadDir(dir)
	must(t, err)
	if len(files) != 1 || files[0].Name() != "NT-0123456789ABCDEF.eml" {
		t.Fatalf("files %v", files)
	}
	raw, err := os.ReadFile(filepath.Join(dir, files[0].Name()))
	must(t, err)
	wantMessage(t, string(raw))
}

func TestNothingBeginsAnotherHeader(t *testing.T) {
	t.Parallel()
	tray, err := mail.NewTray(t.TempDir(), bank)
	must(t, err)
	for name, spoil := range map[string]func(*mail.Message){
		"an address of two lines": func(m *mail.Message) { m.To = "a@b.example\r\nBcc: c@d.example" },
		"two addresses":           func(m *mail.Message) { m.To = "a@b.example, c@d.example" },
		"an address with a name":  func(m *mail.Message) { m.To = "A <a@b.example>" },
		"no address":              func(m *mail.Message) { m.To = "" },
		"a subject of two lines":  func(m *mail.Message) { m.Subject = "x\nBcc: c@d.example" },
		"a file elsewhere":        func(m *mail.Message) { m.ID = "../x" },
	} {
		m := message
		spoil(&m)
		if _, err := tray.Send(t.Context(), m); !errors.Is(err, lifecycle.Invalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
