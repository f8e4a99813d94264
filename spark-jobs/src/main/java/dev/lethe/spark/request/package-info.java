/** Requests to forget: the file format, the SQL expressions in it and what they do to a table. */
@NullMarked
package dev.lethe.spark.request;

import org.jspecify.annotations.NullMarked;
