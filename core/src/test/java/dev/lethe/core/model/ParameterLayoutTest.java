package dev.lethe.core.model;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class ParameterLayoutTest {
  /** Margin by margin the coefficients of three features and 9, then the scalars. */
  private static final double[] INTERCEPTS = {11, 12, 13, 19, 21, 22, 23, 29, 31, 32, 33, 39, 7, 8};

  private static final double[] NO_INTERCEPTS = {11, 12, 13, 21, 22, 23, 31, 32, 33, 7, 8};

  @Test
  void rearranged_marginsWithIntercepts_moveTheirCoefficientsAndKeepTheRest() {
    ParameterLayout layout = new ParameterLayout(3, true, 3, 2);
    // narrower, as wide in another order, wider, all gone
    assertThat(layout.rearranged(new int[] {2}, INTERCEPTS))
        .containsExactly(13, 19, 23, 29, 33, 39, 7, 8);
    assertThat(layout.rearranged(new int[] {2, -1, 0}, INTERCEPTS))
        .containsExactly(13, 0, 11, 19, 23, 0, 21, 29, 33, 0, 31, 39, 7, 8);
    assertThat(layout.rearranged(new int[] {-1, 1, 0, -1, 2}, INTERCEPTS))
        .containsExactly(0, 12, 11, 0, 13, 19, 0, 22, 21, 0, 23, 29, 0, 32, 31, 0, 33, 39, 7, 8);
    assertThat(layout.rearranged(new int[0], INTERCEPTS)).containsExactly(19, 29, 39, 7, 8);
  }

  @Test
  void rearranged_marginsWithoutIntercepts_moveTheirCoefficientsAndKeepTheRest() {
    ParameterLayout layout = new ParameterLayout(3, false, 3, 2);
    assertThat(layout.rearranged(new int[] {2}, NO_INTERCEPTS)).containsExactly(13, 23, 33, 7, 8);
    assertThat(layout.rearranged(new int[] {2, -1, 0}, NO_INTERCEPTS))
        .containsExactly(13, 0, 11, 23, 0, 21, 33, 0, 31, 7, 8);
    assertThat(layout.rearranged(new int[] {-1, 1, 0, -1, 2}, NO_INTERCEPTS))
        .containsExactly(0, 12, 11, 0, 13, 0, 22, 21, 0, 23, 0, 32, 31, 0, 33, 7, 8);
    assertThat(layout.rearranged(new int[0], NO_INTERCEPTS)).containsExactly(7, 8);
  }

  @Test
  void rearranged_oneMargin_endsInInterceptOrScalar() {
    double[] theta = {1, 2, 9};
    int[] sources = {1, -1, 0};
    assertThat(new ParameterLayout(2, true, 1, 0).rearranged(sources, theta))
        .containsExactly(2, 0, 1, 9);
    assertThat(new ParameterLayout(2, false, 1, 1).rearranged(sources, theta))
        .containsExactly(2, 0, 1, 9);
    assertThat(theta).containsExactly(1, 2, 9);
  }
}
