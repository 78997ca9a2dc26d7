import java.io.InputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.cert.CertPathValidator;
import java.security.cert.CertPathValidatorException;
import java.security.cert.CertificateFactory;
import java.security.cert.Extension;
import java.security.cert.PKIXParameters;
import java.security.cert.PKIXRevocationChecker;
import java.security.cert.PKIXRevocationChecker.Option;
import java.security.cert.TrustAnchor;
import java.security.cert.X509Certificate;
import java.util.EnumSet;
import java.util.List;
import java.util.Scanner;
import java.util.Set;

/**
 * Has the JDK's path validator judge certificates whose status it asks at the
 * addresses inside them. The argument is the folder of certificates. Each line
 * of the input is a number, crl, ocsp or nonce, a certificate and its issuer's;
 * each line of the output is the number and accepted or refused, with why.
 */
public final class Judge {
    private static final byte[] NONCE = {4, 16, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};
    private static final byte[] NONCE_HEAD = {0x30, 31, 6, 9, 0x2b, 6, 1, 5, 5, 7, 0x30, 1, 2, 4, 18};

    public static void main(String[] args) throws Exception {
        Path folder = Path.of(args[0]);
        Scanner plan = new Scanner(System.in);
        while (plan.hasNextLine()) {
            String[] word = plan.nextLine().split(" ");
            System.out.println(word[0] + " " + judge(folder, word[1], word[2], word[3]));
        }
    }

    private static String judge(Path folder, String way, String certificate, String issuer) throws Exception {
        CertPathValidator validator = CertPathValidator.getInstance("PKIX");
        PKIXRevocationChecker checker = (PKIXRevocationChecker) validator.getRevocationChecker();
        Set<Option> options = EnumSet.of(Option.NO_FALLBACK, Option.ONLY_END_ENTITY);
        if (way.equals("crl")) {
            options.add(Option.PREFER_CRLS);
        }
        checker.setOptions(options);
        if (way.equals("nonce")) {
            checker.setOcspExtensions(List.of(nonce()));
        }
        PKIXParameters parameters = new PKIXParameters(Set.of(new TrustAnchor(read(folder.resolve("root.pem")), null)));
        parameters.addCertPathChecker(checker);
        List<X509Certificate> path = List.of(read(folder.resolve(certificate)), read(folder.resolve(issuer)));
        try {
            validator.validate(CertificateFactory.getInstance("X.509").generateCertPath(path), parameters);
            return "accepted";
        } catch (CertPathValidatorException e) {
            return "refused " + e.getReason() + " " + e.getMessage();
        }
    }

    private static X509Certificate read(Path file) throws Exception {
        try (InputStream in = Files.newInputStream(file)) {
            return (X509Certificate) CertificateFactory.getInstance("X.509").generateCertificate(in);
        }
    }

    private static Extension nonce() {
        return new Extension() {
            @Override public String getId() { return "1.3.6.1.5.5.7.48.1.2"; }
            @Override public boolean isCritical() { return false; }
            @Override public byte[] getValue() { return NONCE; }
            @Override public void encode(OutputStream out) throws IOException {
                out.write(NONCE_HEAD);
                out.write(NONCE);
            }
        };
    }
}
