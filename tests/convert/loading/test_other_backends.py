"""A Keras 3 file does not depend on the backend that trained it."""

import base64

import numpy as np
import pytest

pytestmark = pytest.mark.tf
# Trained for two epochs and saved by Keras 3.15.1 with KERAS_BACKEND=jax (JAX 0.10.2): TimeDistributed Conv2D and
# GlobalAveragePooling2D, LSTM, Dense. Its zip archive is compressed anew.
TRAINED_BY_JAX = """
P)h>@6aWAK2mrN(eqD=2dObh@002M$000dD003=ebYWy+bYU)Pb8l{|R?1E-N-T~qOD!tS%+FJ@QcyD1Gc?sRRMJsUN=Yn9jW13t
OHBcZ8yOgx=^7g98XGtmnpv5cSecqC)dB!eO9KQH000080JVjFUBmsssu%<S067%^01E&B0Ap`%W@%?GYIARH?O1JZ+cpsXD}g>|
f#2qreJd7V7|>z^ntfSO5NGKuv!O_pFG<|O|9wY_ifLPRlGSVLp@zQr?sWI?czo`t&sn7kCoucvBD+NmCcC`IaskFL2~`lk#g7i9
<sgDi$ptS-{yA$6%$9-Gz$MIsORF7{sIaRV!z)h)yS^dQKb7G5>Oi!GP+*6HY)xv7B{vo|7Oey6gdl}kf)}d!2h1(w1!?-j*?2G>
&ZeVLe>NQZ*9ELl8`8boLv|H)djNlzwX?6iatGfWY`$a^I4t#D17vi0F%8e~eUgXAHF%^oXyb(o5XL7<Ls?>x2-?WpM`of8t!m4a
q?|{~!}%c1^VfI7E4(Hrn$Mjj9Nn8>$%+-*X6Lr?UAPXW<yR%|2G<9W<zD%n<iKkdT-c_t2bUq3M8ORI6bf?~i_!00fuZ{Qmlu66
s-Y;j^bxZ=5In4?01IrPbOkmnbqSKZ8LC5LgPsfUg~&8mOr4clx!SuYK?b?ycfrm((I}jM*BNAU4rY_Ah?Pt3>4Xq>?^2@gNaJrp
X=VSC+{4~Uq``2uVzo3!3LZilqD(ovBRrmLzkn|U{5NW4wt*gx8Ph}tPJoV4BmRJ=Qxi6U+f}zV`XmS@RI%N0xu-aK4(E=Gf+dM>
QoTcuEjO;$CvY}O{r&fp$NK+!(xZbk2l48Tj7ow@IAwW|1j}H|ps{9kG(Wf2@D$(OBGv`3%rn~VX=-{Lp1})i`t{qJHwTg>jIGXW
Q#4wqC2I!F98EedMU`#ZPb)4Jn?rtk54uRLgW1A~MC7DaA{7uTDi*r{6#}ck+-})(+qTy2wq`*tvj8b~TGK?#w)KXWm1?@`*>}F9
TQ`~Xri0<2x86#|mo4oNZI`MH1MjhQl~mIn$W`y(W1mdNz3I1T?N0-njz{ZQgT6LPwB2RY+2J=^@wEnrO~mJq6`qE)s;L-B(7Wnw
x!Khun|~U%eJRggqomtgHvtx{?u?kWWw+rTyBW2x6+HZy+rRqU{^H4;6dxT(%Re<&vqyL*Iw$^+ynnQQau`4DXdlvD)m&iun*SP7
9o)u8ZO10QDxf-Wt{|!ef|fMQws&0Oo?gG#{6>?}Y%=<}?+?s9@^VQeg*mJ?OUwnYrLX8slWIogeTA3M&D$jj@@EYzNCpu4$0}73
9l9!jna!e9(d>P%xka|n&8U>X5Q-LUa-h5|=wz#;z)B4TZ|0TURW4rWX}{{^e9e&t<9-vc{X2;91Ay9a5vZb%KlLV_KPuxrKkEZk
fEQ>cd=FzeWx7<F=RQw#$_&9H?hgzYR?_4;!B-*O%<@FgSWu)rjdqeDT~f4IZOw+X1XiPF_&^OO@}B>C@qzmW7HTe1-g^BHP)h>@
6aWAK2mrN(eqDoT-reyF005MF000mG003=oWMynFcV%g3XmoQfXf^F!eOyyjAKwdu0lrMdLbODZ0+ca!Cu0}5fTFw#e8dzh9vCtK
c^Sf>Nr{LcsHlioWMuTHg{5gGI4*2prGZh8g=LSAJdeFTXjwj=G<z|9oI3}1uiGF*Hsk#MIh?!SJ?HLszUTbDzu!4`tPcyBH`>n0
j-eGUmtn==G4$mIkeWhj9e$n!N+u{PK-s{8*O|9Ia|GANf%fTo3m43ttJS_i6WGr=j;`b~kc>nLn;RUfE#pDm4U`=$s$PLKH&0t;
N>|FXf5~$c=~?N8vRoQY1q1At$zW6P%LDjzv!UW&hhK(K{31d4)yFSf$0|5<yy+x%i299-jtS9X7_RCS4^sO%2<j&%=}L(6nkT4w
t)PDPDeCh(v#EMvpq|G0YmFcDTlDWYiV+09KZoIP(<<50ESa`GiOIZm2d~dIT#B8v4!6SQw(Uaa#6&R};0BtWR`O&k@@3hIbZMrp
&gxr_baHc*lO?94=P7d2lk*j_6!4e~YfvtgXBP-l7&ra9PR1L#FVS0f9S$GFLu#fxS(=$BEs*6(Q)P)ca(QNYcB(K1wh!CQ%u{4(
OYqegwtCkSm&!6TY50fzq{y=KWP19rJ!y(GOMe{BjX`S(5+q2FAVGoz2@)hokRZ8##aN!4o}cM2PtJWvS2`n;j!2>B8N)z%X%bbB
p7$|!9p-~zUI*rBV1A0%4}No;boHt!1H&(G8o)6cN`zlMJRO`u)uZh5=;1MFkp1fN<W_z6pNoOG26zMsdA9|+(idD;`cw7lLA{-z
;yBESsz;v}aJ_cpQ}tp&Jx6eVjGwXnvUnF=J&B>e4xs%qBm-Lq;5<?})A0u8$q@CcTL)Nueof^<?dKe*GhC_975gw%PYLR^Bb10i
|4+BWVE4<k*WrE{%LLz`k57Mm!`BV*4YbbOUT5IEcXl<*H<&bDJ=A`(*xityG>+en8Pw-Sg81^Sb?`B&9;A=nG{1Rwe3{v|ZYo`A
JQ&p5A46j_5I;$`*I@mmwVt13gZr6!3QVwaF|C+=I)+M?k?VJU?s%)|an4i0nGI*ggIvagtHI}-o6o2HoW)`>bx*59D4Ti7L#OdM
%_8yl)ZT6{G!nlo{den;qqPJ_UPpXgSf)v_UrTgr=4lSeyVY?46AAC;=QX{r6$hMrW;>Bke29qbAPCv6`NT_Gb`b|pJf_JAepa*5
eX-`@#%2vK`&Er%sXxA8&pyqCv5Pc$J2$Gypj^%LjOR5Pyoq?@kO$#ZzfE0Y?Hv&3`v&pinOIHyshyf~=W^l*H&dNZrV3zHmjoQW
w2iRZ=Z=5*`&Qymc$E4?U8Q=OoFGDS($&$Gdo^pmewBE0<3mJ@SEc5o4jUq0^n_+*SCe|P$4BbZ7fz`mZ-w*moV#f|K!3sWM01ep
m+A9GhgT+(Nx}Wy<KLNYn0Z!Mls&GVW3|k)V*456+w}ZIe|)6@Lwp<Yl{@)LmEhjy_l)uFOCpq)LUQ+csaR}y^HQ<1X!#~kuN70D
t5-nP<ADG`fQ@XvO}E2f`Sy4{zHMb9FGU}p{`}-g9QjGK&fJ-oQi;uzmvZz+eiF&u`$;7}9Dee4UW(^S?Z+3?<8d@b1M!n|dkxl4
I_mjJjtM_W-#_oqPyP~&{3Kdu4CKEF!+sLJf_AUs$)GvNPa?T{KUp6<yzylH9BMxupx!%|`dq$&RJ|lnFAg5rev)p7!TL!nJwIt}
!cWr2r$0aG9FF`XT4(NzC%N;?6Hlf^81j?G@#`2x_3ubVHh!I<pP~Vje$GKi^Pj$V8BZq7qqbK8>J4FNj0WN->Gm3|pS0EUlQs-P
`?k7+eM}a0-xiJ|y*~JT+|MHoM-oc2+PmmLFOhw5Y+Jtiy1M#ZqV4Bz?E;IgOlV6yT}9Ld+qb1(z|}ScJ8+qcBye`he*co<cQk(p
)B#Vo+P1A)wvK?m8w2gr5n;MN=ueX7o7U?)&mTQ9aBn_b=0sZ}E=#a40@M-lfq6kn_0}g#38jN`OOQ*cn$h_Mak@qr&|MJS)}d6j
9{PSiQM!;xFxnIWIpHnDnhz?8y@6u_`a7S&9Wwj1$51^D6w5lF(Xspw(sLcF<wRg{pmNpfz;(Z}T9QYx{dnQmNtc_~jl~c2_gVVm
UrCRn_yO^+JL8A21?Gt#8W#Pz_(2d)eQqQp8@~`w+{aDF4?}%Ux_$vI&j#wf3(*)2Bz~aVYq0SHM=yTh{t2FD{CxCad4^-W;mn44
d0N>g4aAd8W7`zG&BS-dC#yd$D{CvY%V?vYGv+QHSX`i7f-r14E}-&Q_K@ML;t4oYESblivS<5cTCx39wrr!EmHr!~{rP-{B*a;f
&%cwiUVF+sob@TGA<oJ+eg-g^sxMGdBhoIpu8c)P{g=k?LE4HvMSgGlrE}JW2~^JdEU4EdqA?l>XQkU~DE5YJ4RQ#ozV=tYwSV)t
j6Tj_nk#fA-|k6Y>hBACvlzF3#|2`yRXQ+!>X>3$5BiXlT+@1Rt**)YtMOAhwg$^b-DHL_R%_ArkdI%BTkgBG{>yY4!}~66#=kzs
U;Ak;d2B`x?iDB@nceT=rManO_p}zAC!It3J@*fMP0_XHLnYtf<kE0*N6&e@;FUNsqU=Nbvvv>C?ezv+G}@l*V4ueykS`<OOWA@?
T@^+iOFN45wmXtFuATT)MI5>1#lv`ez$4@imsWg7EsxBe@Fk9?tRcBm>u}|!Z=0inJMl3$=975^$MG``VdN*1JMi5n#*ui%kN8-w
fc#%-JN|pMkaP)c!zD?*%?&?Y#@DV5C-Z9F$KReHCvTKD<6)P7Y<}&V!}ysA9MW>fd3u^T#(96yB$3;G8*G=OhbUqBMWG^!Big({
f@P*(#?pG&*bARb6oqV05MCK87G2F6g&o^Kh{kg#V^gn=7j4QpA>4Q2IJWSgWx{c`0it7}zStF~Dy;Kmd+fV%mMHQ@y>O}ZXi@Jj
CoD4UOYFCIRKk|UKV!AORSD}y3q^%psaSo_UTn*0u~7BHDAB~-<FWJCxT11Ldu;Vad(j8itA%x|LPe)Ip9$-%n4<3GXN5)UuVbUT
aAD29SW(ODQP|kycA~<ld6+2YN33!}sPN2BUtt&H@`c0quJ5Sjh9gnSior8#7x^9jy@4D)yG+lxAMDaBcAmB9^<$X%_HzBfzs(4;
s2t(;m{PI(!kyw>8h+C|C1v9CTUX#$gdyZ?kE7yGLrab*CuN8$J0I}f{N7}rsq5Rt@m1xxDoa6LUw>BIrI{o)pFJzHEYY6Q&x<{)
Up(O1RP8Y1z+R<iRYD~8*&YsNmu<^`IyA#`hfTQW;<sMnyMACZV@xE2kK;wy`+tkZc=P#uPp@4w&1cWE*_LQeUO`hMKKJ`sMPnSB
CcfhD(`oCf`g?h)s=z*^@i$L5A3L6=(Z{;GX~V&3J{JkwBO4k^RLK!>lAagJ8&^CZdIYv(>`WPag%-R*&H%4?GJHS@U)6(W&LprM
(4aSH&>J-94I1<Y4SLhw@pT(e+-}{ccP-7dKKxz|%T4RS=bxEjS`Uu?vzh(mHDLZK%d{TMYdNeickDA<^JsdmCC($4U;pdg!;A1Z
AgTA*y7jup%b&i>mt{TUW&8T0?uV^TdaO7<+C%C#WoGcU!yb{F*3N8uGvDha*U8>fgq`lC3VYAtJF}z6qh?4glTYjxMED+Ev_z78
m7x-M^Cgk)8~xHh(zLv_I>UEQ`x43U*=x7rey|sJ<rJ^~?3wQUgHINJTgfSbIBDIiV-v5<TDD|?S3#(&xB2#NPvwK`kwwkd4|}j9
(UDhFYro=1rY*lL5kLBigdbKwn$J$x3M|o1h28V{HxkkW&-v~YR7b@MS2!&eS{;bPhHr0nx)NrDEqVU=ESlDOvh;FGOxGrV$T1+b
cu!&a-W*VVpKn?ZBEjKl(|W~Ff2C<Xh_sn9(|T~_b4WEe$GB(v|AqGh#@-G&?9(NR@v)EEDE>cCO928D0~7!N00;oJg??R&MS49z
0000$0000D00000000000001h0RR910BvP-VPs)+VJ>QOZ*EXa0Rj{Q6aWAK2mrN(eqF=;!KxSp0021^000XB0000000000004ji
YXATMV{dL|X=g5Kb8l`?O928D0~7!N00;oJg??RwXx`oN3jhF=dH?_r00000000000001h0jvZ70Bvt%Wo#~YWoc(<baO6fHBd_h
1^@s600RI60I~o80Lu^n0000
"""
# The scores by JAX of two windows of noise.
SCORES_BY_JAX = [
    [0.32291632890701294, 0.33681610226631165, 0.3402675688266754],
    [0.32326415181159973, 0.3378358483314514, 0.33889999985694885],
]


def test_a_file_that_jax_trained_has_the_answers_that_jax_computes(tmp_path):
    from convert.loading.load import load

    (tmp_path / "model.keras").write_bytes(base64.b85decode("".join(TRAINED_BY_JAX.split())))
    trained = load(tmp_path / "model.keras")
    windows = np.random.default_rng(0).random((2, 4, 8, 8, 3), np.float32)
    assert (trained.framework, trained.notes) == ("keras", ())
    np.testing.assert_allclose(np.asarray(trained.model(windows)), SCORES_BY_JAX, atol=1e-6)
