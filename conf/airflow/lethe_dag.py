"""Every night: lethe submit, run, purge, verify, status. A task is repeated where Lethe says that it may be.

Each command runs whatever became of the ones before, so that a bad file in the inbox keeps no other request from being answered.
The last task, succeeded, runs if all of them did: so the state of the DAG's run, by which Airflow alerts, is failed if any failed.

Run: its commands, and what each exit code leads to (ConfTest, with stand-ins for Airflow and for lethe). Not run in an
Airflow; written for 2.4 or later, and 3.

LETHE, the command, LETHE_CONFIG, LETHE_INBOX and LETHE_LEDGER come from the worker's environment, as do the vault's key
and the signing password: nothing of them is in the DAG, in Airflow's variables or on a command line.
"""

import os
import subprocess
from datetime import datetime, timedelta

from airflow.exceptions import AirflowException, AirflowFailException

try:
    from airflow.sdk import dag, task
except ImportError:  # Airflow 2
    from airflow.decorators import dag, task

LETHE = os.environ.get("LETHE", "/opt/lethe/scripts/lethe")
# Lethe's paths are Hadoop's: without file:// they are looked up on the default file system, where that is HDFS on HDFS.
CONFIG = os.environ.get("LETHE_CONFIG", "file:///etc/lethe/lethe.yaml")
# A folder on any file system of Hadoop's. Requests say whom they concern: as confidential as the vault.
INBOX = os.environ.get("LETHE_INBOX", "file:///var/spool/lethe")
LEDGER = os.environ.get("LETHE_LEDGER", "hdfs:///lethe/churn")

# An Ed25519 public key in PEM, by which all entries and certificates must be signed. Without it no signature is looked at.
PUBLIC_KEY = os.environ.get("LETHE_PUBLIC_KEY")

SPARK_FAILED = 5
MEANING = {
    1: "unexpected failure",
    2: "something given cannot be used",
    3: "not certified, nothing was published",
    4: "a claim does not hold",
    SPARK_FAILED: "Spark did not finish",
    6: "another run is at work",
}


def lethe(*arguments):
    """Runs a command; what it prints goes into the task's log."""
    # Line by line, since Airflow 2 puts into the log what Python prints, and not what a child process does.
    with subprocess.Popen(
        [LETHE, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
    ) as process:
        try:
            for line in process.stdout:
                print(line, end="", flush=True)
            code = process.wait()
        except BaseException:
            # The task was ended, by its deadline or by hand; SIGTERM lets Lethe clean up.
            process.terminate()
            try:
                process.wait(timeout=60)
            except subprocess.TimeoutExpired:
                process.kill()
            raise
    if code == 0:
        return
    message = f"lethe {arguments[0]} ended with {code}: {MEANING.get(code, 'unknown')}"
    # Everything but a failure of Spark would end the same way again.
    raise AirflowException(message) if code == SPARK_FAILED else AirflowFailException(message)


@dag(
    dag_id="lethe_nightly",
    schedule="17 2 * * *",
    start_date=datetime(2026, 1, 1),
    catchup=False,
    max_active_runs=1,
    # A task that hangs is ended and repeated; the night as a whole ends before the next one.
    dagrun_timeout=timedelta(hours=22),
    default_args={"retries": 3, "retry_delay": timedelta(minutes=10), "execution_timeout": timedelta(hours=12)},
    tags=["privacy"],
)
def lethe_nightly():
    @task
    def submit():
        # Known requests are told by their id: they may stay there until they are purged.
        lethe("submit", "--config", CONFIG, "--each", INBOX)

    @task(trigger_rule="all_done")
    def run():
        lethe("run", "--config", CONFIG)

    @task(trigger_rule="all_done")
    def purge():
        lethe("purge", "--config", CONFIG)

    @task(trigger_rule="all_done")
    def verify():
        lethe("verify", "--ledger", LEDGER, *(["--public-key", PUBLIC_KEY] if PUBLIC_KEY else []))

    @task(trigger_rule="all_done")
    def status():
        lethe("status", "--config", CONFIG)

    @task
    def succeeded():
        """Does nothing; it does not run if one of the others failed."""

    commands = [submit(), run(), purge(), verify(), status()]
    for before, after in zip(commands, commands[1:]):
        before >> after
    end = succeeded()
    for command in commands:
        command >> end


lethe_nightly()
