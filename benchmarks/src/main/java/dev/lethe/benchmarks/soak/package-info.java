/** Many nights of a ledger, with drivers killed and put to sleep: {@code scripts/soak}. */
package dev.lethe.benchmarks.soak;
