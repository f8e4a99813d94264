package dev.lethe.spark.certificate;

import dev.lethe.spark.InvalidInputException;
import java.io.ByteArrayInputStream;
import java.security.GeneralSecurityException;
import java.security.KeyFactory;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.security.PublicKey;
import java.security.Signature;
import java.security.SignatureException;
import java.security.cert.CertificateFactory;
import java.security.interfaces.EdECPublicKey;
import java.security.spec.NamedParameterSpec;
import java.security.spec.X509EncodedKeySpec;
import java.util.HexFormat;
import java.util.List;
import org.apache.hadoop.conf.Configuration;

/** The public half of a {@link SigningKey}. */
public final class PublicSigningKey {
  static final String ALGORITHM = "Ed25519";

  /** Of a signature. */
  private static final int BYTES = 64;

  private static final String CERTIFICATE = "CERTIFICATE";

  private final PublicKey key;

  PublicSigningKey(PublicKey key) {
    this.key = key;
  }

  /**
   * A key in PEM: a SubjectPublicKeyInfo, as {@code openssl pkey -pubout} writes it, or an X.509
   * certificate, of which the key alone counts: neither its dates nor its issuer.
   *
   * @throws InvalidInputException if it cannot be read or is none
   */
  public static PublicSigningKey of(Configuration conf, String file) {
    KeyFile read = KeyFile.read(conf, "public key", file);
    KeyFile.Block block = read.pem(List.of("PUBLIC KEY", CERTIFICATE));
    try {
      PublicKey key =
          block.label().equals(CERTIFICATE)
              ? CertificateFactory.getInstance("X.509")
                  .generateCertificate(new ByteArrayInputStream(block.der()))
                  .getPublicKey()
              : KeyFactory.getInstance(ALGORITHM)
                  .generatePublic(new X509EncodedKeySpec(block.der()));
      if (key instanceof EdECPublicKey ed
          && NamedParameterSpec.ED25519.getName().equals(ed.getParams().getName())) {
        return new PublicSigningKey(key);
      }
    } catch (GeneralSecurityException e) {
      // said below
    }
    throw read.invalid(
        "holds another kind of key, or is damaged", "an Ed25519 public key or its certificate");
  }

  /** Whether {@code signature} is this key's of exactly these bytes. */
  public boolean verifies(byte[] content, byte[] signature) {
    // the JDK takes one that zeros follow
    if (signature.length != BYTES) {
      return false;
    }
    try {
      Signature verifier = Signature.getInstance(ALGORITHM);
      verifier.initVerify(key);
      verifier.update(content);
      return verifier.verify(signature);
    } catch (SignatureException e) {
      return false; // no point of the curve, for example
    } catch (GeneralSecurityException e) {
      throw new IllegalStateException("a key that was read cannot verify", e);
    }
  }

  /** The SHA-256 of the SubjectPublicKeyInfo in DER, 64 hexadecimal digits in lower case. */
  public String keyId() {
    try {
      return HexFormat.of()
          .formatHex(MessageDigest.getInstance("SHA-256").digest(key.getEncoded()));
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException("every Java platform has SHA-256", e);
    }
  }

  @Override
  public String toString() {
    return "PublicSigningKey[" + keyId() + "]";
  }
}
