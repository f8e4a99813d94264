package dev.lethe.spark.certificate;

import dev.lethe.spark.InvalidInputException;
import java.security.GeneralSecurityException;
import java.security.KeyFactory;
import java.security.KeyPair;
import java.security.KeyPairGenerator;
import java.security.KeyStore;
import java.security.PrivateKey;
import java.security.SecureRandom;
import java.security.Signature;
import java.security.interfaces.EdECPrivateKey;
import java.security.spec.NamedParameterSpec;
import java.security.spec.PKCS8EncodedKeySpec;
import java.util.Arrays;
import java.util.List;
import org.apache.hadoop.conf.Configuration;
import org.jspecify.annotations.Nullable;

/**
 * An Ed25519 key (RFC 8032) that signs documents. Signatures are detached, 64 bytes over the exact
 * bytes of a document, so that others check them without Lethe. The key never appears in {@link
 * #toString}.
 */
public final class SigningKey {
  /** The environment variable that the password of a keystore comes from. */
  public static final String PASSWORD_VARIABLE = "LETHE_SIGNING_PASSWORD";

  private static final String ALLOWED = "an Ed25519 key in PKCS#8";

  private final PrivateKey key;
  private final PublicSigningKey publicKey;

  private SigningKey(PrivateKey key, PublicSigningKey publicKey) {
    this.key = key;
    this.publicKey = publicKey;
  }

  /**
   * A key in PEM, PKCS#8, as {@code openssl genpkey -algorithm ed25519} writes it. Warns if others
   * can read it.
   *
   * @throws InvalidInputException if it cannot be read or is none
   */
  public static SigningKey ofPem(Configuration conf, String file) {
    KeyFile read = KeyFile.readSecret(conf, "signing key", file);
    try {
      return of(
          KeyFactory.getInstance(PublicSigningKey.ALGORITHM)
              .generatePrivate(new PKCS8EncodedKeySpec(read.pem(List.of("PRIVATE KEY")).der())),
          read);
    } catch (GeneralSecurityException e) {
      throw read.invalid("holds another kind of key, or is damaged", ALLOWED);
    }
  }

  /**
   * A key of a PKCS#12 keystore, as {@code keytool -genkeypair -keyalg Ed25519 -storetype PKCS12}
   * writes it. Warns if others can read it.
   *
   * @param alias its name, or null where there is one key
   * @throws InvalidInputException if it cannot be read, or has no such key
   */
  public static SigningKey ofKeystore(
      Configuration conf, String file, @Nullable String alias, char[] password) {
    KeyFile read = KeyFile.readSecret(conf, "signing keystore", file);
    return of(
        (PrivateKey)
            read.keystoreKey(alias, password, KeyStore.PrivateKeyEntry.class, PASSWORD_VARIABLE),
        read);
  }

  private static SigningKey of(PrivateKey key, KeyFile file) {
    if (!(key instanceof EdECPrivateKey ed)
        || !NamedParameterSpec.ED25519.getName().equals(ed.getParams().getName())
        || ed.getBytes().isEmpty()) {
      throw file.invalid("holds another kind of key", ALLOWED);
    }
    return new SigningKey(key, publicKey(ed.getBytes().get()));
  }

  /**
   * PKCS#8 has the private key alone. Generating a pair from its 32 bytes, in place of random ones,
   * gives the public key.
   */
  private static PublicSigningKey publicKey(byte[] secret) {
    try {
      KeyPairGenerator generator = KeyPairGenerator.getInstance(PublicSigningKey.ALGORITHM);
      generator.initialize(NamedParameterSpec.ED25519, new Repeating(secret));
      KeyPair pair = generator.generateKeyPair();
      if (!Arrays.equals(((EdECPrivateKey) pair.getPrivate()).getBytes().orElseThrow(), secret)) {
        throw new IllegalStateException("this JVM draws Ed25519 keys in a way that is not known");
      }
      return new PublicSigningKey(pair.getPublic());
    } catch (GeneralSecurityException e) {
      throw new IllegalStateException("every Java platform has Ed25519", e);
    }
  }

  /** What a generator of keys is given in place of chance. */
  private static final class Repeating extends SecureRandom {
    private static final long serialVersionUID = 1L;

    private final byte[] value;

    Repeating(byte[] value) {
      this.value = value;
    }

    @Override
    public void nextBytes(byte[] bytes) {
      System.arraycopy(value, 0, bytes, 0, bytes.length);
    }
  }

  /** The signature of these bytes: 64 bytes, always the same. */
  public byte[] sign(byte[] content) {
    try {
      Signature signature = Signature.getInstance(PublicSigningKey.ALGORITHM);
      signature.initSign(key);
      signature.update(content);
      return signature.sign();
    } catch (GeneralSecurityException e) {
      throw new IllegalStateException("a key that was read cannot sign", e);
    }
  }

  /** The public half. */
  public PublicSigningKey publicKey() {
    return publicKey;
  }

  /** Names the key: that of {@link PublicSigningKey#keyId}. */
  public String keyId() {
    return publicKey.keyId();
  }

  @Override
  public String toString() {
    return "SigningKey[" + keyId() + "]";
  }
}
