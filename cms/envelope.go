package cms

import (
	"bytes"
	"crypto"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/subtle"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"fmt"

	"sceau/lifecycle"
)

const keyLength = 32 // AES-256

// Seal makes a DER ContentInfo with EnvelopedData that only the recipient's
// private key opens. It is different on each call: key and initialisation
// vector are fresh. Content of more than [MaxContent] bytes and recipients
// that [CheckRecipient] refuses are [lifecycle.Invalid].
func Seal(content []byte, recipient *x509.Certificate) ([]byte, error) {
	if err := CheckRecipient(recipient); err != nil {
		return nil, err
	}
	if len(content) > MaxContent {
		return nil, fmt.Errorf("%w: %d bytes to seal, at most %d", lifecycle.Invalid, len(content), MaxContent)
	}
	key, iv := make([]byte, keyLength), make([]byte, aes.BlockSize)
	defer clear(key)
	if _, err := rand.Read(key); err != nil {
		return nil, fmt.Errorf("draw a content key: %w", err)
	}
	if _, err := rand.Read(iv); err != nil {
		return nil, fmt.Errorf("draw an initialisation vector: %w", err)
	}
	wrapped, err := rsa.EncryptOAEP(sha256.New(), rand.Reader, recipient.PublicKey.(*rsa.PublicKey), key, nil) //nolint:errcheck // CheckRecipient saw an RSA key
	if err != nil {
		return nil, fmt.Errorf("wrap the content key: %w", err)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("set up AES-256: %w", err)
	}
	sealed := pad(content)
	cipher.NewCBCEncrypter(block, iv).CryptBlocks(sealed, sealed)
	return marshal(sealed, iv, wrapped, recipient)
}

func marshal(sealed, iv, wrapped []byte, recipient *x509.Certificate) ([]byte, error) {
	oaep, err := oaepAlgorithm()
	if err != nil {
		return nil, err
	}
	der, err := asn1.Marshal(contentInfo{
		ContentType: oidEnvelopedData(),
		Content: envelopedData{
			Recipients: []keyTransRecipient{{
				Recipient:    issuerAndSerial{Issuer: asn1.RawValue{FullBytes: recipient.RawIssuer}, Serial: recipient.SerialNumber},
				Algorithm:    oaep,
				EncryptedKey: wrapped,
			}},
			Content: encryptedContent{
				Type: oidData(),
				Algorithm: pkix.AlgorithmIdentifier{
					Algorithm:  oidAES256CBC(),
					Parameters: asn1.RawValue{Tag: asn1.TagOctetString, Bytes: iv},
				},
				Content: asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: 0, Bytes: sealed},
			},
		},
	})
	if err != nil {
		return nil, fmt.Errorf("encode the envelope: %w", err)
	}
	return der, nil
}

// Open gives the content of an envelope that [Seal] made, or that another tool
// made with the same algorithms in DER. The key is the recipient's RSA private
// key or any [crypto.Decrypter] of it. Everything that is wrong with the
// envelope is [lifecycle.Invalid]; a wrong key, a damaged ciphertext and wrong
// padding are one and the same error, so that nobody can ask it questions.
func Open(der []byte, recipient *x509.Certificate, key crypto.PrivateKey) ([]byte, error) {
	if err := CheckRecipient(recipient); err != nil {
		return nil, err
	}
	decrypter, ok := key.(crypto.Decrypter)
	if !ok {
		return nil, fmt.Errorf("%w: a key of type %T cannot decipher", lifecycle.Invalid, key)
	}
	part, content, err := parse(der, recipient)
	if err != nil {
		return nil, err
	}
	if err := checkOAEP(part.Algorithm); err != nil {
		return nil, err
	}
	iv, blocks, err := content.ciphertext()
	if err != nil {
		return nil, err
	}
	contentKey, err := decrypter.Decrypt(rand.Reader, part.EncryptedKey, &rsa.OAEPOptions{Hash: crypto.SHA256})
	if errors.Is(err, lifecycle.Unavailable) { // a key held elsewhere: the envelope may be good
		return nil, fmt.Errorf("unwrap the content key: %w", err)
	}
	if err != nil || len(contentKey) != keyLength {
		return nil, fmt.Errorf("%w: %w", lifecycle.Invalid, errCiphertext)
	}
	defer clear(contentKey)
	block, err := aes.NewCipher(contentKey)
	if err != nil {
		return nil, fmt.Errorf("set up AES-256: %w", err)
	}
	plain := make([]byte, len(blocks))
	cipher.NewCBCDecrypter(block, iv).CryptBlocks(plain, blocks)
	return unpad(plain)
}

// pad copies content and appends n bytes of value n, 1 to 16 of them
// (RFC 5652 §6.3).
func pad(content []byte) []byte {
	n := aes.BlockSize - len(content)%aes.BlockSize
	out := make([]byte, len(content), len(content)+n)
	copy(out, content)
	return append(out, bytes.Repeat([]byte{byte(n)}, n)...)
}

// unpad looks at the whole last block whatever the padding is.
func unpad(plain []byte) ([]byte, error) {
	last := plain[len(plain)-aes.BlockSize:]
	n := int(last[aes.BlockSize-1])
	good := subtle.ConstantTimeLessOrEq(1, n) & subtle.ConstantTimeLessOrEq(n, aes.BlockSize)
	for i, b := range last {
		inPadding := subtle.ConstantTimeLessOrEq(aes.BlockSize-n, i)
		good &= subtle.ConstantTimeByteEq(b, last[aes.BlockSize-1]) | (1 - inPadding)
	}
	if good != 1 {
		return nil, fmt.Errorf("%w: %w", lifecycle.Invalid, errCiphertext)
	}
	return plain[:len(plain)-n], nil
}
