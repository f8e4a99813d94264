package dev.lethe.spark.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.lethe.spark.InvalidInputException;
import java.util.Map;
import org.junit.jupiter.api.Test;

class LetheTest {
  private static String password(Map<String, String> environment) {
    return new String(Lethe.password(environment, "signing.keystore", "LETHE_SIGNING_PASSWORD"));
  }

  @Test
  void password_ofAFile_isWithoutOneFinalLineEnd() {
    for (String end : new String[] {"", "\n", "\r\n"}) {
      assertThat(password(Map.of("LETHE_SIGNING_PASSWORD", " a\nb " + end))).isEqualTo(" a\nb ");
    }
    assertThat(password(Map.of("LETHE_SIGNING_PASSWORD", "a\n\n"))).isEqualTo("a\n");
  }

  @Test
  void password_notSet_isRefused() {
    assertThatThrownBy(() -> password(Map.of()))
        .isInstanceOf(InvalidInputException.class)
        .hasMessageContaining("LETHE_SIGNING_PASSWORD");
  }
}
