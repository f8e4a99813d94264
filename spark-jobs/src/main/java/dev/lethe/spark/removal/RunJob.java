package dev.lethe.spark.removal;

import dev.lethe.core.certify.Composition;
import dev.lethe.core.objective.DataChangedException;
import dev.lethe.core.unlearn.UnreachableDistanceException;
import dev.lethe.spark.InvalidInputException;
import dev.lethe.spark.SparkErrors;
import dev.lethe.spark.certificate.Certificate;
import dev.lethe.spark.certificate.Check;
import dev.lethe.spark.certificate.ModelDigest;
import dev.lethe.spark.certificate.SigningKey;
import dev.lethe.spark.certificate.Vault;
import dev.lethe.spark.job.GivenTables;
import dev.lethe.spark.job.NotCertifiedException;
import dev.lethe.spark.job.RequestCheck;
import dev.lethe.spark.job.UnlearnJob;
import dev.lethe.spark.job.VerificationKeys;
import dev.lethe.spark.job.VerifyJob;
import dev.lethe.spark.job.VerifyOptions;
import dev.lethe.spark.ledger.Entry;
import dev.lethe.spark.ledger.Event;
import dev.lethe.spark.ledger.Lease;
import dev.lethe.spark.ledger.Ledger;
import dev.lethe.spark.ledger.LedgerState;
import dev.lethe.spark.ledger.Spent;
import dev.lethe.spark.ledger.TrackedRequest;
import dev.lethe.spark.ledger.Version;
import dev.lethe.spark.metrics.LetheMetrics;
import dev.lethe.spark.request.CertificateTerms;
import dev.lethe.spark.request.FeaturizerPolicy;
import dev.lethe.spark.request.MergedRequest;
import dev.lethe.spark.request.Request;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Objects;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.UUID;
import java.util.stream.Collectors;
import org.apache.hadoop.fs.Path;
import org.apache.spark.sql.SparkSession;
import org.jspecify.annotations.Nullable;

/**
 * {@code lethe run}: answers all requests that wait in one release.
 *
 * <ol>
 *   <li>take the lease;
 *   <li>finish what a run before it has left;
 *   <li>decide which requests go into the next version, on what terms: an entry;
 *   <li>make the version and put it in its place: an entry;
 *   <li>verify it, and make it the one to use: an entry.
 * </ol>
 *
 * <p>Each entry is written when what it says is true. A run that dies between any two of them is
 * finished by the next: what was decided stays decided, a version that lies in its place is taken
 * if it is whole, and no noise that nobody has seen counts. Reports are written last, from the
 * files of what is published; no run fails for want of one.
 */
public final class RunJob {
  private final Settings settings;
  private final SparkSession spark;
  private final Place place;
  private final List<String> notes = new ArrayList<>();

  public RunJob(Place place) {
    this.place = place;
    this.settings = place.settings();
    this.spark = place.spark();
  }

  /** So often a run tries another batch where a request has spoilt one: halves of 16 000. */
  private static final int ATTEMPTS = 15;

  /** How a run ended. */
  public enum Outcome {
    /** A version was published. */
    PUBLISHED,
    /** No request waits, or none that waited was admitted. */
    NOTHING_TO_DO,
    /** Another run has the lease. */
    HELD,
    /** The version could not be certified; its requests wait. */
    NOT_CERTIFIED,
    /** The budget allows no release; the requests wait. */
    OVER_BUDGET,
    /** What verification recomputed is not what the version claims; its requests wait. */
    CLAIM_BROKEN;

    /** As it is printed. */
    public String word() {
      return name().toLowerCase(Locale.ROOT).replace('_', ' ');
    }
  }

  /**
   * What a run did.
   *
   * @param outcome of its last version
   * @param published the versions that it published
   * @param refused requests, and why
   * @param deferred requests that fit, but wait for the next run
   * @param notes what the operator should know
   */
  public record Result(
      Outcome outcome,
      List<Version> published,
      List<Event.Refusal> refused,
      List<String> deferred,
      List<String> notes) {}

  /**
   * Runs the job.
   *
   * @throws InvalidInputException if something given cannot be used
   */
  public Result run() throws IOException {
    Vault vault = place.vault();
    Ledger ledger = place.writableLedger();
    Optional<Lease> taken = lease(ledger);
    if (taken.isEmpty()) {
      return new Result(
          Outcome.HELD,
          List.of(),
          List.of(),
          List.of(),
          ledger.holder().map(holder -> "the lease is held by " + holder.by()).stream().toList());
    }
    try (Lease lease = taken.get()) {
      ledger.refresh();
      place.openIfNew(ledger);
      return new Attempt(ledger, lease, vault).run();
    }
  }

  /** Waits for the lease as long as the settings say. */
  private Optional<Lease> lease(Ledger ledger) throws IOException {
    Duration length = settings.leasing().ofRun();
    long end = System.nanoTime() + settings.leasing().patience().toNanos();
    for (; ; ) {
      Optional<Lease> lease = ledger.lease(length);
      if (lease.isPresent() || System.nanoTime() >= end) {
        return lease;
      }
      try {
        Thread.sleep(Math.min(1000, Math.max(1, (end - System.nanoTime()) / 1_000_000)));
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
        return Optional.empty();
      }
    }
  }

  /** A run that has the lease. */
  private final class Attempt {
    private final Ledger ledger;
    private final Lease lease;
    private final Vault vault;
    private final RequestStore store;
    private final VersionReports reports;
    private @Nullable RequestCheck loaded;
    private int loadedVersion;
    private boolean spoilt;
    private boolean corrected;
    private final List<Version> published = new ArrayList<>();
    private final List<Event.Refusal> refused = new ArrayList<>();
    private final List<String> deferred = new ArrayList<>();

    Attempt(Ledger ledger, Lease lease, Vault vault) {
      this.ledger = ledger;
      this.lease = lease;
      this.vault = vault;
      this.store = RequestStore.of(vault, ledger.state());
      this.reports = new VersionReports(place, ledger, vault);
    }

    Result run() throws IOException {
      clean();
      ledger.point(lease);
      watch();
      reports.check();
      reports.write(state().current()).ifPresent(notes::add); // a run before may have died
      Optional<Version> left = state().unfinished();
      Outcome outcome = Outcome.NOTHING_TO_DO;
      if (left.isPresent()) {
        notes.add("version " + left.get().number() + " was begun by a run before, and is finished");
        requireSigned(left.get());
        outcome = finish(left.get());
      }
      for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
        boolean first = attempt == 0 && (left.isEmpty() || outcome == Outcome.PUBLISHED);
        if (!first && !spoilt) {
          break;
        }
        spoilt = false;
        Outcome decided = decide();
        if (decided == Outcome.PUBLISHED) {
          outcome = finish(state().unfinished().orElseThrow());
        } else if (outcome != Outcome.PUBLISHED || decided != Outcome.NOTHING_TO_DO) {
          outcome = decided;
        }
      }
      if (outcome == Outcome.PUBLISHED) {
        outcome = onceMore();
      }
      return new Result(outcome, published, refused, deferred, notes);
    }

    /**
     * Tries those that could not be certified alone, and wait until no other does: on a ledger that
     * is never without a new request, too. That they cannot be certified again takes nothing from
     * what was published.
     */
    private Outcome onceMore() throws IOException {
      List<TrackedRequest> waiting = state().waiting();
      if (waiting.isEmpty()
          || !waiting.stream().allMatch(one -> state().uncertifiable().contains(one.id()))
          || decide() != Outcome.PUBLISHED) {
        return Outcome.PUBLISHED;
      }
      Outcome made = finish(state().unfinished().orElseThrow());
      return made == Outcome.CLAIM_BROKEN ? made : Outcome.PUBLISHED;
    }

    /** Deletes what runs have left that died: half-made versions, and those that they abandoned. */
    private void clean() {
      ledger.deleteLeftovers(lease);
      for (Version version : state().versions()) {
        if (version.phase() == Version.Phase.ABANDONED) {
          vault.deleteEvidence(Objects.requireNonNull(version.certificateId()));
        }
      }
    }

    private void delete(Version version) throws IOException {
      lease.requireHeld();
      ledger.delete(version.number());
      vault.deleteEvidence(Objects.requireNonNull(version.certificateId()));
    }

    private LedgerState state() {
      return ledger.state();
    }

    /** For who watches: what waits, and what the budget has left. */
    private void watch() {
      List<TrackedRequest> waiting = state().waiting();
      LetheMetrics.get()
          .queue(waiting.size(), waiting.isEmpty() ? null : waiting.get(0).received());
      Settings.Budget budget = settings.budget();
      if (budget != null) {
        budget
            .limit()
            .spent(state().releases())
            .ifPresent(spent -> LetheMetrics.get().budgetLeft(budget.epsilon() - spent));
      }
    }

    /** Writes an entry, if the lease still holds and nobody else has written. */
    private void append(Event event) {
      ledger.append(event, lease);
      watch();
    }

    /**
     * Decides on the requests that wait.
     *
     * @return {@link Outcome#PUBLISHED} if a version is to be made
     */
    private Outcome decide() {
      int base = state().lastMade().number();
      refuseWhatFailedAlone(base);
      List<TrackedRequest> waiting = candidates();
      if (waiting.isEmpty()) {
        return Outcome.NOTHING_TO_DO;
      }
      int next = state().next();
      List<Event.Refusal> unreadable = new ArrayList<>();
      List<Request> requests = readable(waiting, unreadable);
      RequestCheck check = check(base).on(table(base, next));
      requireTerms(check);
      check.requireOptions();
      Admission admission = Admission.of(next, requests, check);
      deferred.addAll(admission.deferred());
      for (Admission.Refused one : admission.refused()) {
        store.explain(state().request(one.id()).orElseThrow(), one.why());
      }
      List<Event.Refusal> refusals = new ArrayList<>(unreadable);
      admission.refused().stream().map(Admission.Refused::event).forEach(refusals::add);
      refused.addAll(refusals);
      if (admission.admitted().isEmpty()) {
        refuse(base, refusals);
        return Outcome.NOTHING_TO_DO;
      }
      CertificateTerms asked = Batch.strictest(settings.certificate(), admission.admitted());
      CertificateTerms terms = affordable(asked, check.parameters());
      if (terms == null) {
        refuse(base, refusals);
        return Outcome.OVER_BUDGET;
      }
      append(
          new Event.Decided(
              next,
              base,
              UUID.randomUUID().toString(),
              terms,
              Spent.planned(terms, check.parameters()),
              admission.admitted().stream().map(Request::id).toList(),
              refusals));
      return Outcome.PUBLISHED;
    }

    /**
     * The contents of requests.
     *
     * @param damaged takes those that cannot be read, though others can
     * @throws InvalidInputException if none can be read: the vault may be another one
     */
    private List<Request> readable(List<TrackedRequest> waiting, List<Event.Refusal> damaged) {
      List<Request> requests = new ArrayList<>();
      InvalidInputException last = null;
      for (TrackedRequest one : waiting) {
        try {
          requests.add(store.read(one).request());
        } catch (InvalidInputException e) {
          if (e.getCause() instanceof IOException) {
            throw e;
          }
          last = e;
          damaged.add(new Event.Refusal(one.id(), Event.Unfit.UNREADABLE));
        }
      }
      if (requests.isEmpty() && last != null) {
        throw last;
      }
      return requests;
    }

    private void refuse(int base, List<Event.Refusal> refusals) {
      if (!refusals.isEmpty()) {
        append(new Event.Decided(null, base, null, null, null, List.of(), refusals));
      }
    }

    /** One request must not keep all others from being answered, night after night. */
    private void refuseWhatFailedAlone(int base) {
      List<String> failed = state().failed();
      if (failed.size() == 1) {
        Event.Refusal refusal = new Event.Refusal(failed.get(0), Event.Unfit.CANNOT_BE_APPLIED);
        refused.add(refusal);
        refuse(base, List.of(refusal));
      }
    }

    /**
     * All that wait, or the oldest of them; of a batch that failed the first half, so that the one
     * at fault is found.
     */
    private List<TrackedRequest> candidates() {
      List<TrackedRequest> waiting = certifiable(state().waiting());
      if (waiting.size() > MergedRequest.MAX_REQUESTS) {
        notes.add(
            waiting.size()
                + " requests wait; one version has at most "
                + MergedRequest.MAX_REQUESTS
                + ", the others are left to the next run");
        waiting = waiting.subList(0, MergedRequest.MAX_REQUESTS);
      }
      List<String> failed = state().failed();
      if (failed.isEmpty()) {
        return waiting;
      }
      List<String> half = failed.subList(0, (failed.size() + 1) / 2);
      if (waiting.stream().noneMatch(request -> half.contains(request.id()))) {
        return waiting;
      }
      notes.add(
          "the version before failed with "
              + failed.size()
              + " requests; this one tries the first "
              + half.size()
              + " of them");
      return waiting.stream().filter(request -> half.contains(request.id())).toList();
    }

    /** Less those that could not be certified alone, while others wait: they would keep all. */
    private List<TrackedRequest> certifiable(List<TrackedRequest> waiting) {
      List<TrackedRequest> others =
          waiting.stream()
              .filter(request -> !state().uncertifiable().contains(request.id()))
              .toList();
      if (others.isEmpty() || others.size() == waiting.size()) {
        return waiting;
      }
      notes.add(
          waiting.size()
              - others.size()
              + " requests could not be certified, each alone; they wait until no other does");
      return others;
    }

    private void requireTerms(RequestCheck check) {
      check
          .unmet(settings.certificate())
          .ifPresent(
              why -> {
                throw new InvalidInputException("the configuration's " + why);
              });
    }

    /** The terms after the budget; null if it allows no release. */
    private @Nullable CertificateTerms affordable(CertificateTerms asked, int parameters) {
      Settings.Budget budget = settings.budget();
      if (budget == null) {
        return asked;
      }
      Composition spent = state().releases();
      OptionalDouble epsilon =
          budget.limit().affordable(spent, asked.epsilon(), asked.delta(), asked.rho(), parameters);
      boolean less = epsilon.isPresent() && epsilon.getAsDouble() < asked.epsilon();
      if (epsilon.isEmpty() || (less && budget.onLimit() == Settings.OnLimit.REFUSE)) {
        notes.add(
            "a release of epsilon "
                + asked.epsilon()
                + " would exceed the budget, epsilon "
                + budget.epsilon()
                + " at delta "
                + budget.delta()
                + " for all releases; "
                + budget.limit().spent(spent).stream()
                    .mapToObj(used -> "spent: " + used)
                    .findFirst()
                    .orElse("what is spent cannot be told at this delta"));
        return null;
      }
      if (less) {
        notes.add(
            "the budget raises sigma: epsilon of this release is "
                + epsilon.getAsDouble()
                + " in place of "
                + asked.epsilon());
      }
      return new CertificateTerms(epsilon.getAsDouble(), asked.delta(), asked.rho());
    }

    /** Makes and publishes a version that was decided. */
    private Outcome finish(Version version) throws IOException {
      if (version.phase() == Version.Phase.APPLIED && !isWhole(version)) {
        return broken(version, "what lies in its place is not what was made");
      }
      if (version.phase() == Version.Phase.DECIDED) {
        Outcome made = ledger.isThere(version.number()) ? adopt(version) : make(version);
        if (made != Outcome.PUBLISHED) {
          return made;
        }
      }
      Outcome verified = settings.verifies() ? verify(version) : Outcome.PUBLISHED;
      if (verified == Outcome.PUBLISHED) {
        append(new Event.Published(version.number()));
        ledger.point(lease);
        Version done = state().version(version.number());
        published.add(done);
        reports.write(done).ifPresent(notes::add);
      }
      return verified;
    }

    private Outcome make(Version version) throws IOException {
      lease.requireHeld();
      // of a run that died between the evidence and the publication
      vault.deleteEvidence(Objects.requireNonNull(version.certificateId()));
      vault.createKeyIfAbsent(); // a damaged one is no request's fault
      GivenTables tables = table(version.base(), version.number());
      Request request = InForce.merged(state(), store, version);
      try {
        UnlearnJob.Result result =
            new UnlearnJob(
                    place.options(ledger, version.base(), version.number(), tables),
                    place.keys(),
                    spark)
                .runCertified(
                    request,
                    "version " + version.number(),
                    Objects.requireNonNull(version.certificateId()),
                    lease::requireHeld);
        notes.addAll(result.notes());
      } catch (NotCertifiedException e) {
        return abandon(version, Event.Cause.NOT_CERTIFIED, e);
      } catch (InvalidInputException e) {
        if (isOfStores(e)) {
          throw e; // no fault of the requests: the next run makes the same version
        }
        if (isOfTerms(version, e)) {
          return abandon(version, Event.Cause.TERMS_NOT_MET, e);
        }
        if (ledger.isThere(version.number())) {
          return adopt(version); // a store that copies stopped in the middle, or at its end
        }
        RequestCheck check = check(version.base()).on(tables);
        check.requireOptions();
        check.requireReadable(request.featurizer() == FeaturizerPolicy.REFIT);
        spoilt = true;
        return abandon(version, Event.Cause.UNUSABLE_DATA, e);
      }
      applied(version);
      return Outcome.PUBLISHED;
    }

    /** Whether a table or a store let go of what was there, or never took it. */
    private static boolean isOfStores(InvalidInputException e) {
      return causedBy(e, IOException.class)
          || causedBy(e, DataChangedException.class)
          || SparkErrors.isOfFiles(e);
    }

    /** Whether the terms cannot be met, and no request asked for them. */
    private boolean isOfTerms(Version version, InvalidInputException e) {
      CertificateTerms terms = Objects.requireNonNull(version.terms());
      return terms.rho() >= settings.certificate().rho()
          && (causedBy(e, UnreachableDistanceException.class)
              || check(version.base()).unmet(terms).isPresent());
    }

    private static boolean causedBy(InvalidInputException e, Class<? extends Exception> kind) {
      return SparkErrors.causes(e).anyMatch(kind::isInstance);
    }

    /** Takes a version that a run has put in its place before it died, if it is whole. */
    private Outcome adopt(Version version) throws IOException {
      new UnlearnJob(
              place.options(
                  ledger,
                  version.base(),
                  version.number(),
                  table(version.base(), version.number())),
              place.keys(),
              spark)
          .forgetCheckpoint(InForce.merged(state(), store, version));
      if (isWhole(version)) {
        applied(version);
        return Outcome.PUBLISHED;
      }
      // a store that copies was interrupted: a part of a model was there for all to see
      withdraw(version, Event.Cause.INTERRUPTED, version.planned());
      notes.add("version " + version.number() + " is abandoned: its publication was interrupted");
      return Outcome.NOT_CERTIFIED;
    }

    private Outcome abandon(Version version, Event.Cause cause, RuntimeException why) {
      explain(version, String.valueOf(why.getMessage()));
      append(new Event.Abandoned(version.number(), cause, null));
      notes.add("version " + version.number() + " is abandoned: " + cause.text());
      return Outcome.NOT_CERTIFIED;
    }

    private Outcome broken(Version version, String how) throws IOException {
      withdraw(version, Event.Cause.CLAIM_BROKEN, null);
      notes.add("version " + version.number() + " is abandoned: " + how);
      return Outcome.CLAIM_BROKEN;
    }

    private void withdraw(Version version, Event.Cause cause, @Nullable Spent seen)
        throws IOException {
      explain(version, cause.text());
      append(new Event.Abandoned(version.number(), cause, seen));
      delete(version);
    }

    /** Keeps why the requests of a version wait again. */
    private void explain(Version version, String why) {
      for (String id : version.requests()) {
        store.explain(state().request(id).orElseThrow(), why);
      }
    }

    /**
     * @throws InvalidInputException if a store does not answer: nothing is known of it then
     */
    private boolean isWhole(Version version) {
      Optional<byte[]> document = ledger.read(ledger.certificate(version.number()));
      if (document.isEmpty()) {
        return false;
      }
      try {
        Certificate certificate =
            Certificate.read(document.get(), ledger.certificate(version.number()).toString());
        vault.readEvidence(certificate.certificateId());
        return isSigned(version, document.get())
            && certificate.certificateId().equals(version.certificateId())
            && ModelDigest.of(ledger.configuration(), ledger.model(version.number()).toString())
                .equals(certificate.modelDigest());
      } catch (InvalidInputException e) {
        if (SparkErrors.isUnanswered(e)) {
          throw e;
        }
        return false;
      }
    }

    /**
     * What an unfinished version says is done as it says: others than the key's owner must not have
     * had it made.
     */
    private void requireSigned(Version version) {
      SigningKey signing = place.keys().signing();
      if (signing == null) {
        return;
      }
      for (Entry entry : ledger.chain().entries()) {
        Event event = entry.event();
        boolean ofVersion =
            (event instanceof Event.Decided decided
                    && Objects.equals(decided.version(), version.number()))
                || (event instanceof Event.Applied applied
                    && applied.version() == version.number());
        if (ofVersion
            && !Arrays.equals(
                ledger.chain().signatureOf(entry), signing.sign(ledger.chain().bytesOf(entry)))) {
          throw new InvalidInputException(
              "ledger: "
                  + ledger.root()
                  + ": entry "
                  + entry.sequence()
                  + ", by which version "
                  + version.number()
                  + " was begun, is not signed by the key of signing: find out who wrote it, or"
                  + " finish the version with the key that was used then");
        }
      }
    }

    /** Ed25519 signs the same bytes alike, so that a half-written signature is found. */
    private boolean isSigned(Version version, byte[] document) {
      SigningKey signing = place.keys().signing();
      return signing == null
          || ledger
              .read(ledger.signature(version.number()))
              .filter(signature -> Arrays.equals(signature, signing.sign(document)))
              .isPresent();
    }

    private void applied(Version version) {
      Path file = ledger.certificate(version.number());
      byte[] document = ledger.read(file).orElseThrow();
      Certificate certificate = Certificate.read(document, file.toString());
      append(
          new Event.Applied(
              version.number(),
              ModelDigest.sha256(document),
              certificate.modelDigest(),
              Spent.of(certificate)));
    }

    private Outcome verify(Version version) throws IOException {
      VerifyJob.Result result =
          new VerifyJob(
                  new VerifyOptions(
                      ledger.certificate(version.number()).toString(),
                      ledger.model(version.number()).toString(),
                      settings.vault(),
                      table(version.base(), version.number()),
                      settings.data().label(),
                      null,
                      ledger.model(version.base()).toString(),
                      Place.certificate(ledger, version.base()),
                      settings.data().parts()),
                  new VerificationKeys(place.keys().vault(), null),
                  spark)
              .run(InForce.merged(state(), store, version), "version " + version.number());
      if (result.passed()) {
        return Outcome.PUBLISHED;
      }
      String failed =
          result.checks().stream()
              .filter(check -> !check.passed())
              .map(Check::name)
              .collect(Collectors.joining(", "));
      if (result.isOfOtherData()) {
        withdraw(version, Event.Cause.DATA_CHANGED, null);
        notes.add(
            "version "
                + version.number()
                + " is abandoned: the table is not the one that it was made of; its requests wait."
                + " Give a table that nobody writes to during a run, or a snapshot");
        return Outcome.NOT_CERTIFIED;
      }
      return broken(version, "verification failed: " + failed);
    }

    /**
     * A model that was changed since could bring back what an earlier version removed; so could a
     * certificate, which alone says what that was.
     */
    private void requireSame(int base) {
      Optional<byte[]> certificate =
          base == 0 ? Optional.empty() : ledger.read(ledger.certificate(base));
      if (!certificate
          .map(ModelDigest::sha256)
          .equals(Optional.ofNullable(state().version(base).certificate()))) {
        throw new InvalidInputException(
            "ledger: "
                + ledger.certificate(base)
                + ": is not the certificate of version "
                + base
                + ", from which the next version starts; put it back");
      }
      String model = ledger.model(base).toString();
      if (!ModelDigest.of(ledger.configuration(), model).equals(state().version(base).model())) {
        throw new InvalidInputException(
            "ledger: "
                + model
                + ": the files are not those of version "
                + base
                + ", from which the next version starts; put them back");
      }
    }

    /** The table as a version finds it. */
    private GivenTables table(int base, int version) {
      if (corrected) {
        return InForce.table(settings, spark, state(), store, check(base), version);
      }
      GivenTables table =
          InForce.checkedTable(settings, spark, state(), store, check(base), version);
      corrected = true;
      return table;
    }

    /** Loaded once for all steps that start from it. */
    private RequestCheck check(int base) {
      if (loaded == null || loadedVersion != base) {
        requireSame(base);
        loaded = place.check(ledger, base);
        loadedVersion = base;
      }
      return loaded;
    }
  }
}
