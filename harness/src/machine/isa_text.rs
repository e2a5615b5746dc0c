//! Instruction sets in JSON: by their names.

/// One ISA.
pub(super) mod one {
    use pointwise::Isa;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(in crate::machine) fn serialize<S: Serializer>(
        isa: &Isa,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        to.serialize_str(isa.name())
    }

    pub(in crate::machine) fn deserialize<'d, D: Deserializer<'d>>(
        from: D,
    ) -> Result<Isa, D::Error> {
        String::deserialize(from)?.parse().map_err(D::Error::custom)
    }
}

/// A list of ISAs.
pub(super) mod list {
    use pointwise::Isa;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(in crate::machine) fn serialize<S: Serializer>(
        isas: &[Isa],
        to: S,
    ) -> Result<S::Ok, S::Error> {
        to.collect_seq(isas.iter().map(|isa| isa.name()))
    }

    pub(in crate::machine) fn deserialize<'d, D: Deserializer<'d>>(
        from: D,
    ) -> Result<Vec<Isa>, D::Error> {
        let names = Vec::<String>::deserialize(from)?;
        names.iter().map(|name| name.parse().map_err(D::Error::custom)).collect()
    }
}
