"""The servers that tests are given are real, shared, and apart."""

import smtplib
from email.message import EmailMessage
from urllib.parse import urlsplit

import httpx
import kafka
import psycopg
from kafka.admin import NewTopic

from tests.fixtures.mails import MailBox


def test_a_record_goes_through_the_broker_of_the_tests(kafka_bootstrap: str, topic_prefix: str) -> None:
    admin = kafka.KafkaAdminClient(bootstrap_servers=kafka_bootstrap)
    admin.create_topics([NewTopic(f"{topic_prefix}thing", 2, 1)], wait_for_metadata=True)
    admin.close()
    producer = kafka.KafkaProducer(bootstrap_servers=kafka_bootstrap)
    producer.send(f"{topic_prefix}thing", key=b"k", value=b"v", partition=1).get(10)
    producer.close()
    consumer = kafka.KafkaConsumer(
        f"{topic_prefix}thing", bootstrap_servers=kafka_bootstrap, auto_offset_reset="earliest"
    )
    try:
        assert next(consumer).value == b"v"
    finally:
        consumer.close()


def test_a_database_is_fresh_and_the_test_owns_it(database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute("CREATE TABLE thing (id int)")
        assert connection.execute("SELECT count(*) FROM thing").fetchone() == (0,)
        assert connection.execute("SHOW fsync").fetchone() == ("on",)


def test_a_mail_can_be_read_on_the_page_of_the_sink(smtp_sink: MailBox) -> None:
    message = EmailMessage()
    message["Subject"], message["From"], message["To"] = "Zahlung für Ürsel", "dunning@acme.example", "u@acme.example"
    message.set_content("plain <words>")
    message.add_alternative("<p>rich <b>words</b></p>", subtype="html")
    address = urlsplit(smtp_sink.url)
    with smtplib.SMTP(address.hostname or "", address.port or 0) as client:
        client.send_message(message)
    listed = httpx.get(f"{smtp_sink.page}/api/messages", params={"to": "U@acme.example"}).json()
    assert [mail["subject"] for mail in listed] == ["Zahlung für Ürsel"]
    mail = httpx.get(f"{smtp_sink.page}/api/messages/{listed[0]['id']}").json()
    assert (mail["text"].strip(), mail["html"].strip()) == ("plain <words>", "<p>rich <b>words</b></p>")
    page = httpx.get(f"{smtp_sink.page}/messages/{listed[0]['id']}").text
    assert "plain &lt;words&gt;" in page
    assert (
        httpx.get(f"{smtp_sink.page}/messages/{listed[0]['id']}/html")
        .headers["content-security-policy"]
        .startswith("sandbox")
    )
    assert httpx.get(f"{smtp_sink.page}/messages/17").status_code == 404
