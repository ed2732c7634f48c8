-- Format 5: bodies that are packed, names of bodies in half the room, and a number by which it is seen that what every call
-- looks up was changed.

ALTER TABLE bodies ADD COLUMN packed INTEGER NOT NULL DEFAULT 0;
-- A name of 128 bits stood there as 32 hex digits; one of 256 bits has 32 bytes that are not all such digits.
UPDATE bodies SET hash = unhex(CAST(hash AS TEXT))
    WHERE length(hash) = 32 AND length(unhex(CAST(hash AS TEXT))) = 16;

CREATE TABLE revision (
    key    INTEGER PRIMARY KEY CHECK (key = 1),
    number INTEGER NOT NULL
) STRICT;
INSERT INTO revision (key, number) VALUES (1, 1);

CREATE TRIGGER connections_added AFTER INSERT ON connections
BEGIN UPDATE revision SET number = number + 1; END;
CREATE TRIGGER connections_changed AFTER UPDATE ON connections
BEGIN UPDATE revision SET number = number + 1; END;
CREATE TRIGGER connections_removed AFTER DELETE ON connections
BEGIN UPDATE revision SET number = number + 1; END;
CREATE TRIGGER grants_added AFTER INSERT ON grants
BEGIN UPDATE revision SET number = number + 1; END;
CREATE TRIGGER grants_changed AFTER UPDATE ON grants
BEGIN UPDATE revision SET number = number + 1; END;
CREATE TRIGGER grants_removed AFTER DELETE ON grants
BEGIN UPDATE revision SET number = number + 1; END;
CREATE TRIGGER connectors_added AFTER INSERT ON connectors
BEGIN UPDATE revision SET number = number + 1; END;
CREATE TRIGGER connectors_changed AFTER UPDATE ON connectors
BEGIN UPDATE revision SET number = number + 1; END;
CREATE TRIGGER connectors_removed AFTER DELETE ON connectors
BEGIN UPDATE revision SET number = number + 1; END;
