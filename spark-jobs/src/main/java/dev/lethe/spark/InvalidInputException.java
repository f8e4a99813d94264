package dev.lethe.spark;

/**
 * Something that the user gave cannot be used: a file, a column, a parameter, a request.
 *
 * <p>The message names the place (file, column, option), what was found there and what is allowed.
 * It never contains values of personal data: a {@code where} condition or a cell of the table is
 * named by its position, not quoted. The command line prints the message alone and exits with
 * status 2.
 */
public final class InvalidInputException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  public InvalidInputException(String message) {
    super(message);
  }

  public InvalidInputException(String message, Throwable cause) {
    super(message, cause);
  }
}
