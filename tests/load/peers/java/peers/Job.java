package peers;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonGenerator;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.JsonNodeType;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.DateTimeException;
import java.time.Instant;
import java.time.LocalDate;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.kafka.common.header.Headers;
import org.apache.kafka.common.header.internals.RecordHeaders;

/** The job's rules for both Java peers: parse, decide, split, encode. All money is whole cents in a long. */
final class Job {
    static final String INPUT = "payroll.contributions", OUTPUT = "allocations.instructed", REJECTS = "payroll.rejects";
    static final String DEBIT = "contributions_receivable";
    static final String ALLOCATED = "allocation.instructed.v1", REJECTED = "payroll.contribution.rejected.v1";
    /** Tells the groups and transactions of one test from those of the next; a restart within a test has the same. */
    static final String RUN = System.getenv().getOrDefault("PEER_RUN", "");
    static final String BOOTSTRAP = System.getenv().getOrDefault("BOOTSTRAP", "127.0.0.1:9092");

    private static final ObjectMapper JSON = new ObjectMapper();
    private static final JsonFactory FACTORY = JSON.getFactory();
    private static final Map<Integer, Long> LIMITS = new HashMap<>();
    private static final Map<String, Boolean> SOURCES = new HashMap<>();
    private static final List<List<Weight>> ELECTIONS = new ArrayList<>();

    static {
        try {
            JsonNode d = JSON.readTree(Files.readAllBytes(Path.of(System.getenv().getOrDefault("JOB_DATA", "data/job.json"))));
            d.get("elective_limit_cents").properties().forEach(e -> LIMITS.put(Integer.valueOf(e.getKey()), e.getValue().asLong()));
            d.get("sources").properties().forEach(e -> SOURCES.put(e.getKey(), e.getValue().asBoolean()));
            for (JsonNode row : d.get("elections")) {
                List<Weight> w = new ArrayList<>();
                for (JsonNode x : row) w.add(new Weight(x.get(0).asText(), x.get(1).asInt()));
                ELECTIONS.add(List.copyOf(w));
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    record Weight(String fund, int weight) {}

    record Amount(String source, long cents) {}

    record Contribution(String id, String plan, String participant, String payroll, String payDate, int year,
                        long compensation, List<Amount> amounts) {}

    record Decision(List<Amount> accepted, long acceptedCents, long electiveCents, long excessCents) {}

    /** The record is not a contribution; the message is the code for the rejects topic. */
    static final class Invalid extends Exception {
        Invalid(String code) { super(code, null, false, false); }
    }

    private Job() {}

    static Contribution parse(byte[] value) throws Invalid {
        JsonNode d;
        try {
            d = value == null ? null : JSON.readTree(value);
        } catch (IOException e) {
            throw new Invalid("not_json");
        }
        if (d == null || d.isMissingNode()) throw new Invalid("not_json");
        if (!d.isObject()) throw new Invalid("not_object");
        String id = text(d, "contribution_id"), plan = text(d, "plan_id"), participant = text(d, "participant_id");
        String payroll = text(d, "payroll_id"), payDate = text(d, "pay_date");
        if (participant.length() < 2 || participant.charAt(0) != 'P' || !participant.chars().skip(1).allMatch(c -> c >= '0' && c <= '9'))
            throw new Invalid("bad_participant_id");
        int year;
        try {
            year = LocalDate.parse(payDate).getYear();
        } catch (DateTimeException e) {
            throw new Invalid("bad_pay_date");
        }
        if (!LIMITS.containsKey(year)) throw new Invalid("no_limit_for_year");
        JsonNode comp = d.get("compensation_cents");
        if (!isLong(comp) || comp.longValue() < 0) throw new Invalid("bad_compensation");
        JsonNode raw = d.get("amounts");
        if (raw == null || !raw.isArray() || raw.isEmpty()) throw new Invalid("no_amounts");
        List<Amount> amounts = new ArrayList<>(raw.size());
        for (JsonNode a : raw) {
            if (!a.isObject()) throw new Invalid("bad_amount");
            JsonNode source = a.get("source"), cents = a.get("cents");
            if (source == null || !source.isTextual() || !SOURCES.containsKey(source.textValue())) throw new Invalid("unknown_source");
            if (!isLong(cents)) throw new Invalid("cents_not_integer");
            if (cents.longValue() < 0) throw new Invalid("cents_negative");
            amounts.add(new Amount(source.textValue(), cents.longValue()));
        }
        return new Contribution(id, plan, participant, payroll, payDate, year, comp.longValue(), amounts);
    }

    private static boolean isLong(JsonNode n) {
        return n != null && n.getNodeType() == JsonNodeType.NUMBER && n.isIntegralNumber() && n.canConvertToLong();
    }

    private static String text(JsonNode d, String name) throws Invalid {
        JsonNode v = d.get(name);
        if (v == null || !v.isTextual() || v.textValue().isEmpty()) throw new Invalid("missing_" + name);
        return v.textValue();
    }

    static Decision decide(Contribution c, long ytd) {
        long room = Math.max(0, LIMITS.get(c.year()) - ytd), total = 0, elective = 0, excess = 0;
        List<Amount> accepted = new ArrayList<>(c.amounts().size());
        for (Amount a : c.amounts()) {
            long take = a.cents();
            if (SOURCES.get(a.source())) {
                take = Math.min(take, room);
                room -= take;
                elective += take;
                excess += a.cents() - take;
            }
            if (take > 0) {
                accepted.add(new Amount(a.source(), take));
                total += take;
            }
        }
        return new Decision(accepted, total, elective, excess);
    }

    static List<Weight> election(Contribution c) {
        return ELECTIONS.get((int) (Long.parseLong(c.participant().substring(1)) % 16));
    }

    /** Largest remainder; ties go to the earlier fund. */
    static long[] split(long cents, List<Weight> election) {
        int n = election.size();
        long[] parts = new long[n], rem = new long[n];
        long left = cents;
        for (int i = 0; i < n; i++) {
            long x = cents * election.get(i).weight();
            parts[i] = x / 100;
            rem[i] = x % 100;
            left -= parts[i];
        }
        for (; left > 0; left--) {
            int best = 0;
            for (int i = 1; i < n; i++) if (rem[i] > rem[best]) best = i;
            parts[best]++;
            rem[best] = -1;
        }
        return parts;
    }

    static byte[] instruction(Contribution c, Decision d) {
        return write(g -> {
            g.writeStringField("contribution_id", c.id());
            g.writeStringField("participant_id", c.participant());
            g.writeStringField("plan_id", c.plan());
            g.writeStringField("pay_date", c.payDate());
            g.writeNumberField("accepted_cents", d.acceptedCents());
            g.writeNumberField("excess_cents", d.excessCents());
            g.writeArrayFieldStart("lines");
            List<Weight> election = election(c);
            for (Amount a : d.accepted()) {
                long[] parts = split(a.cents(), election);
                for (int i = 0; i < parts.length; i++) {
                    if (parts[i] == 0) continue;
                    g.writeStartObject();
                    g.writeStringField("source", a.source());
                    g.writeStringField("fund", election.get(i).fund());
                    g.writeNumberField("cents", parts[i]);
                    g.writeEndObject();
                }
            }
            g.writeEndArray();
        });
    }

    /** The store's record of a contribution with its postings. */
    static byte[] bookEntry(Contribution c, Decision d) {
        return write(g -> {
            g.writeStringField("plan_id", c.plan());
            g.writeStringField("participant_id", c.participant());
            g.writeStringField("payroll_id", c.payroll());
            g.writeStringField("pay_date", c.payDate());
            g.writeNumberField("compensation_cents", c.compensation());
            g.writeNumberField("accepted_cents", d.acceptedCents());
            g.writeNumberField("excess_cents", d.excessCents());
            g.writeArrayFieldStart("postings");
            for (Amount a : d.accepted()) {
                posting(g, a, DEBIT, "D");
                posting(g, a, "participant:" + a.source(), "C");
            }
            g.writeEndArray();
        });
    }

    private static void posting(JsonGenerator g, Amount a, String account, String side) throws IOException {
        g.writeStartObject();
        g.writeStringField("source", a.source());
        g.writeStringField("account", account);
        g.writeStringField("side", side);
        g.writeNumberField("cents", a.cents());
        g.writeEndObject();
    }

    static byte[] reject(String reason, int partition, long offset) {
        return write(g -> {
            g.writeStringField("reason", reason);
            g.writeNumberField("partition", partition);
            g.writeNumberField("offset", offset);
        });
    }

    static Headers headers(String id, String type) {
        RecordHeaders h = new RecordHeaders();
        h.add("ce_id", id.getBytes(StandardCharsets.UTF_8));
        h.add("ce_source", "/peers/allocation".getBytes(StandardCharsets.UTF_8));
        h.add("ce_type", type.getBytes(StandardCharsets.UTF_8));
        h.add("ce_specversion", "1.0".getBytes(StandardCharsets.UTF_8));
        h.add("ce_time", Instant.now().truncatedTo(ChronoUnit.MILLIS).toString().getBytes(StandardCharsets.UTF_8));
        return h;
    }

    private interface Body { void to(JsonGenerator g) throws IOException; }

    private static byte[] write(Body body) {
        ByteArrayOutputStream out = new ByteArrayOutputStream(512);
        try (JsonGenerator g = FACTORY.createGenerator(out)) {
            g.writeStartObject();
            body.to(g);
            g.writeEndObject();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        return out.toByteArray();
    }

    /** Tells the harness when the first record came in; once per process. */
    static final class First {
        private static final java.util.concurrent.atomic.AtomicBoolean SEEN = new java.util.concurrent.atomic.AtomicBoolean();

        static void mark() {
            if (!SEEN.get() && SEEN.compareAndSet(false, true)) {
                System.out.println("FIRST " + System.currentTimeMillis());
                System.out.flush();
            }
        }
    }
}
